"""A layer's gradients averaged on the line from a baseline to the image."""

from cnnviz.attribution.methods.layer_integrated_gradients import LayerIntegratedGradients
from cnnviz.attribution.shapes import Raw, at_layers, method
from cnnviz.types import Image, Key, PyTree, Score


@method
class InternalInfluence(LayerIntegratedGradients):
    """The mean of dS/dA over the images between baseline and image: integral of dS(x' + a (x - x'))/dA da.

    For a score that is linear in the layer it is the weights. Leino et al. 2018, Influence-directed explanations for
    deep convolutional networks, with the uniform distribution on the line (arXiv:1802.03788).
    """

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        node, weight = sample
        _, gradients = at_layers(score, self.baseline + node * (image - self.baseline), self.layers or ())
        return {name: weight * gradient for name, gradient in gradients.items()}

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return total

    def completeness_target(self, score: Score, image: Image) -> None:
        return None
