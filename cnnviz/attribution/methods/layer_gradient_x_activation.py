"""A layer's activations times the score's gradients there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.shapes import Direct, Raw, at_layers, method
from cnnviz.types import Image, Score


@method
class LayerGradientXActivation(Direct):
    """Each value of a layer times the score's gradient with respect to it: A dS/dA.

    If everything after the layer is linear and without biases, the values sum to the score. `layers` as in a CAM, but
    dense layers too. It is input x gradient with the layer as the input, as in Captum; Shrikumar et al. 2016
    (arXiv:1605.01713).
    """

    layers: Layers = None

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, layers=choose(self.layers, places, spatial=False))

    def __call__(self, score: Score, image: Image) -> Raw:
        activations, gradients = at_layers(score, image, self.layers or ())
        return {name: activations[name] * gradients[name] for name in activations}
