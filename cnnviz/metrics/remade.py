"""What metrics of a method share: they ask it for more maps, of other images, weights or classes."""

from typing import Any

from cnnviz.attribution.shapes import method
from cnnviz.batching import Report
from cnnviz.metrics.explainer import Explainer
from cnnviz.metrics.shapes import Metric
from cnnviz.types import Array, Float, Key


@method
class OfMethod(Metric):
    """A metric of a method: `metric(explainer, maps, key)` is a number for each image, `[n]`.

    `maps` are those of the explainer, computed once for all metrics.
    """

    needs = "varying"

    def __call__(self, explainer: Explainer, maps: Any, key: Key, report: Report | None = None) -> Float[Array, " n"]:
        return self.details(explainer, maps, key, report)[0]

    def details(self, explainer: Explainer, maps: Any, key: Key, report: Report | None = None) -> tuple[Any, Any]:
        """The numbers, and what they are made of: one more axis, or nothing."""
        raise NotImplementedError
