"""The gradient times the image."""

from cnnviz.attribution.shapes import Direct, Raw, gradient, method
from cnnviz.types import Image, Score


@method
class InputXGradient(Direct):
    """Each pixel times the score's gradient with respect to it: x dS/dx.

    For a network of ReLUs and maxima without biases the values sum to the score.
    Shrikumar et al. 2016, Not just a black box (arXiv:1605.01713).
    """

    def __call__(self, score: Score, image: Image) -> Raw:
        return image * gradient(score, image)
