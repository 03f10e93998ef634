"""The score's gradient with respect to the pixels."""

from cnnviz.attribution.shapes import Direct, Raw, gradient, method
from cnnviz.types import Image, Score


@method
class Gradient(Direct):
    """How fast the score grows with each pixel: dS/dx.

    For a linear score it is the weights. Channels are summed, which keeps the sign; Simonyan's saliency is
    `channels="max_abs"`. Simonyan, Vedaldi & Zisserman 2014, Deep inside convolutional networks (arXiv:1312.6034).
    """

    def __call__(self, score: Score, image: Image) -> Raw:
        return gradient(score, image)
