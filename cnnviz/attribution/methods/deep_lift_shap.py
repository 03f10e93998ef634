"""DeepLIFT averaged over baselines."""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.deep_lift import DeepLIFT
from cnnviz.attribution.shapes import Raw, Sampled, arrays, method, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Image, Key, PyTree, Scalar, Score


@method
class DeepLIFTSHAP(Sampled):
    """The mean of DeepLIFT's values over `baselines` [b h w c], such as images of the training set: approximate SHAP.

    The values sum to S(x) less the mean of S over the baselines. By default the baseline is black; `samples` takes the
    first so many of them, and 0 takes all. Lundberg & Lee 2017, A unified approach to interpreting model predictions,
    section 4.2 (arXiv:1705.07874).
    """

    samples: int = 0
    baselines: Any = arrays(default=None)
    rule: str = "rescale"

    rewritten = False

    def __post_init__(self):
        super().__post_init__()
        DeepLIFT(rule=self.rule)

    @property
    def count(self) -> int:
        return self.samples or (1 if self.baselines is None else len(self.baselines))

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return self.all_for(image)[i]

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return DeepLIFT(rule=self.rule, baseline=sample)(score, image)

    def finish(self, score: Score, image: Image, total: PyTree) -> Raw:
        return total / self.count

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - jax.vmap(lambda baseline: value(score, baseline))(self.all_for(image)).mean()

    def all_for(self, image: Image) -> Float[Array, "b h w c"]:
        """The baselines that are used; of another shape than the image's, or too few, they are an InputError."""
        if self.baselines is None:
            return jnp.zeros((1, *image.shape), image.dtype)
        if self.baselines.shape[1:] != image.shape or self.count > len(self.baselines):
            raise InputError(
                f"Baselines have the shape [b, {', '.join(map(str, image.shape))}], with at least as many as samples; "
                f"they have {tuple(self.baselines.shape)}, and samples is {self.samples}."
            )
        return jnp.asarray(self.baselines[: self.count], image.dtype)
