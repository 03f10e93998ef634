"""The gradient of one unit of a layer with respect to the pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.errors import InputError
from cnnviz.probe import check_unit
from cnnviz.types import Image, Score


@method
class NeuronGradient(Direct):
    """How fast a unit of a layer grows with each pixel: dA_u/dx; it does not depend on the score.

    `unit` is an index into the layer's shape, by default the most active unit. The gradient is zero outside the unit's
    receptive field. Every method explains a unit if that is the target: `targets=Unit("relu2", (3, 4, 17))`. Simonyan,
    Vedaldi & Zisserman 2014 (arXiv:1312.6034), with a unit as the score.
    """

    layers: Layers = None
    unit: tuple[int, ...] | None = None

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        layers = choose(self.layers, places, spatial=False)
        if len(layers) != 1:
            raise InputError(f"neuron_gradient needs one layer; there were {len(layers)}: {', '.join(layers)}.")
        if self.unit is not None:
            check_unit(layers[0], self.unit, next(place.shape for place in places if place.name == layers[0]))
        return replace(self, layers=layers)

    def __call__(self, score: Score, image: Image) -> Raw:
        (name,) = self.layers

        def activity(x: Image) -> jax.Array:
            layer = score(x, {})[1][name]
            return layer.max() if self.unit is None else layer[self.unit]

        return jax.grad(activity)(image)
