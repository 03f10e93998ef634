"""How often the probability rises if only what the map shows is seen."""

from cnnviz.attribution.shapes import method
from cnnviz.metrics.masked import Masked
from cnnviz.types import Scalar


@method
class AverageIncrease(Masked):
    """1 if O > Y, else 0, where Y is the probability for the image and O that for the image times the map.

    The mean over images is the share of images whose confidence increases; higher is better. Chattopadhyay et al. 2018,
    Grad-CAM++, section 5.1 (arXiv:1710.11063). Equal to Xplique's AverageIncreaseMetric with `absolute=True`.
    """

    better = "higher"

    def compared(self, before: Scalar, after: Scalar) -> Scalar:
        return (after > before).astype(before.dtype)
