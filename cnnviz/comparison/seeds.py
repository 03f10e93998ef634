"""How similar the layers of one network are from seed to seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Shaped

from cnnviz.batching import Report, evenly_spaced, part
from cnnviz.comparison.features import features
from cnnviz.comparison.measures import MEASURES, Measure
from cnnviz.comparison.measures.measure import checked, is_constant
from cnnviz.comparison.minibatches import ESTIMATES, alignments
from cnnviz.comparison.similarity import check_images, reader
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.probe import Reader
from cnnviz.registry import resolve
from cnnviz.types import LayerNames

Matrices = Float[np.ndarray, "pairs l l"]


@dataclass(frozen=True)
class Seeds:
    """Similarities `[pairs, l, l]` of all layers with all layers, of each two members of a network.

    Of layers i and j of two members it is the mean of both orders, so each matrix is symmetric. `left_out` are layers
    that are the same for all images in some member.
    """

    measure: str
    layers: tuple[str, ...]
    values: Matrices
    left_out: tuple[str, ...]
    images: int

    @property
    def mean(self) -> Float[np.ndarray, "l l"]:
        """The mean over pairs of members."""
        return self.values.mean(axis=0)

    @property
    def deviation(self) -> Float[np.ndarray, "l l"]:
        """The standard deviation over pairs of members; NaN for a single pair."""
        one = len(self.values) == 1
        return np.full_like(self.values[0], np.nan) if one else self.values.std(axis=0, ddof=1)


def similarity_of_seeds(
    net: Net,
    images: Shaped[np.ndarray, "n ..."],
    measure: str = "debiased_cka",
    *,
    layers: LayerNames = None,
    values: str | None = None,
    batch_size: int | None = None,
    report: Report | None = None,
) -> Seeds:
    """The similarity of all layers of each two members, with `values` as in `similarities`.

    Raises InputError for a network of one member, and for too few images.
    """
    found = resolve(MEASURES, measure, "measure of similarity")
    if len(net.members) < 2:
        raise InputError(f"{net.name} is one network; a similarity of seeds takes a run of two or more.")
    check_images([net], images)
    readers = {f"{i:06}": reader(net.only(i), layers) for i in range(len(net.members))}
    if measure in ESTIMATES and values in (None, "flat"):
        return _of_minibatches(measure, readers, images, batch_size, report)
    return _of_arrays(measure, found, readers, images, values or "mean", report)


def _of_minibatches(
    measure: str, readers: Mapping[str, Reader], images: np.ndarray, batch_size: int | None, report: Report | None
) -> Seeds:
    got = alignments(readers, images, batch_size=batch_size, report=report)
    every = [layer for name, layer in got.names if name == min(readers)]
    constant = {layer for _, layer in got.constant}
    kept = [i for i, layer in enumerate(every) if layer not in constant]
    pairs = [got.of(measure, i, j)[np.ix_(kept, kept)] for i, j in combinations(readers, 2)]
    return _seeds(measure, every, kept, pairs, len(images))


def _of_arrays(
    name: str,
    measure: Measure,
    readers: Mapping[str, Reader],
    images: np.ndarray,
    values: str,
    report: Report | None,
) -> Seeds:
    taken = evenly_spaced(len(images), measure.most)
    arrays = features(readers, images[taken], values, report=part(report, 0, 2, "reading layers"))
    every = list(next(iter(arrays.values())))
    kept = [i for i, layer in enumerate(every) if not any(is_constant(own[layer]) for own in arrays.values())]
    prepared = {
        seed: [measure.prepare(checked(own[every[i]], f"The layer {every[i]}")) for i in kept]
        for seed, own in arrays.items()
    }
    pairs = [measure.compare_all(prepared[i], prepared[j]) for i, j in combinations(prepared, 2)]
    return _seeds(name, every, kept, pairs, len(taken))


def _seeds(measure: str, every: list[str], kept: list[int], pairs: list[np.ndarray], images: int) -> Seeds:
    if not kept:
        raise InputError("Every layer is the same for all images in some seed, so there is nothing to compare.")
    left_out = tuple(layer for i, layer in enumerate(every) if i not in kept)
    symmetric = np.stack([(each + each.T) / 2 for each in pairs])
    return Seeds(measure, tuple(every[i] for i in kept), symmetric, left_out, images)
