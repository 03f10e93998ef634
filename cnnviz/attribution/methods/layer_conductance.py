"""How much of integrated gradients flows through each value of a layer."""

import jax.numpy as jnp

from cnnviz.attribution.methods.layer_integrated_gradients import LayerIntegratedGradients
from cnnviz.attribution.quadrature import quadrature
from cnnviz.attribution.shapes import Raw, at_layers, method, value
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class LayerConductance(LayerIntegratedGradients):
    """The integral along the line from baseline to image of dS/dA dA: sum_i dS/dA(x_i) (A(x_i+1) - A(x_i)).

    The nodes are those of a quadrature with one more sample, as in Captum. If all paths go through the layer, its
    values sum to S(x) - S(x') up to the error of the steps. Dhamdhere, Sundararajan & Yan 2018, How important is a
    neuron? (arXiv:1805.12233); computed as in Shrikumar, Su & Kundaje 2018 (arXiv:1807.09946).
    """

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        nodes = jnp.asarray(quadrature(self.quadrature, self.samples + 1, image.dtype)[0])
        return nodes[i], nodes[i + 1]

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        this, following = (self.baseline + node * (image - self.baseline) for node in sample)
        activations, gradients = at_layers(score, this, self.layers or ())
        after = score(following, {})[1]
        return {name: gradients[name] * (after[name] - activations[name]) for name in activations}

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return total

    def completeness_target(self, score: Score, image: Image) -> Scalar:
        difference = value(score, image) - value(score, jnp.broadcast_to(self.baseline, image.shape))
        return len(self.layers or ()) * difference
