"""How alike the maps of two classes are."""

from typing import Any

import jax
import numpy as np

from cnnviz import probe
from cnnviz.attribution.shapes import method
from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.metrics.explainer import Explainer
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.similarity import check_similarity, similarity
from cnnviz.types import Key


@method
class RandomLogit(OfMethod):
    """The similarity of the map of the target with that of another class, drawn for each image; lower is better.

    A map that is the same for every class does not explain the decision. Sixt, Granz & Landgraf 2020, When explanations
    lie, section 5 (arXiv:1912.09818), by SSIM. Quantus flattens maps before its SSIM, which then compares runs of
    pixels; here windows are squares, as in Wang et al. 2004. `similarity` is one of "ssim", "spearman", "spearman_abs"
    and "pearson".
    """

    similarity: str = "ssim"

    better = "lower"
    random = True

    def __post_init__(self):
        check_similarity(self.similarity)

    def details(self, explainer: Explainer, maps: Any, key: Key, report: Report | None = None) -> tuple[Any, Any]:
        (count,) = probe.output_shape(explainer.model, explainer.variables, explainer.images.shape[1:])
        if count < 2:
            raise InputError(f"random_logit needs a second class; this network has {count} output.")
        others = explainer.with_(targets=other_classes(explainer.classes, count, key))
        return similarity(self.similarity, maps, others.maps(report)), ()


def other_classes(classes: np.ndarray, count: int, key: Key) -> np.ndarray:
    """Another class for each image, each of the others equally likely."""
    draw = jax.vmap(lambda i: jax.random.randint(jax.random.fold_in(key, i), (), 1, count))
    return ((classes + np.asarray(draw(np.arange(len(classes))))) % count).astype(np.int32)
