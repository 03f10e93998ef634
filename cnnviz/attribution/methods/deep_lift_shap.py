"""DeepLIFT averaged over the images of a data set."""

from typing import Any

import jax

from cnnviz.attribution.methods.deep_lift import DeepLIFT
from cnnviz.attribution.shapes import Raw, Sampled, as_images, image_set, method, set_size, value
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class DeepLIFTSHAP(Sampled):
    """The mean of DeepLIFT's values over the images x' of `baseline` `[m ... c]`: mean_x' of DeepLIFT(x; x').

    With images of the training set these are approximate SHAP values; the default is one black image. `samples` takes
    the first N of them, and 0 all. The values sum to S(x) minus the mean of S over the baseline. Lundberg & Lee 2017,
    A unified approach to interpreting model predictions, section 4.2 (arXiv:1705.07874).
    """

    samples: int = 0
    baseline: Any = image_set(default=0.0)
    rule: str = "rescale"

    rewritten = False

    def __post_init__(self):
        super().__post_init__()
        DeepLIFT(rule=self.rule)

    @property
    def count(self) -> int:
        size = set_size(self.baseline)
        return min(self.samples or size, size)

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return self.images(image)[i]

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return DeepLIFT(rule=self.rule, baseline=sample)(score, image)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return total / self.count

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        return value(score, image) - jax.vmap(lambda baseline: value(score, baseline))(self.images(image)).mean()

    def images(self, image: Image) -> Array:
        """The images `[m ... c]` of the baseline that are used; raises InputError if a set has fewer than `samples`."""
        if self.samples > (size := set_size(self.baseline)) > 1:
            raise InputError(f"samples is at most the number of images of the baseline, {size}; it was {self.samples}.")
        return as_images(self.baseline, image)[: self.count]
