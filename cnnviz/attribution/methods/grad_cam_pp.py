"""Grad-CAM++: a layer's channels, weighed by a weighted mean of their positive gradients."""

from collections.abc import Sequence
from typing import Any

import jax

from cnnviz.attribution.layers import Place, after
from cnnviz.attribution.methods.cams import CAM, Channels, over_places
from cnnviz.attribution.methods.grad_cam_pp_equations import OF, VARIANTS, by_jacobian, weighed
from cnnviz.attribution.methods.grad_cam_pp_nested import NestedGradCAMPP
from cnnviz.attribution.shapes import Raw, at_layers, method
from cnnviz.errors import InputError, check_known
from cnnviz.graph.linearity import is_piecewise_linear, unlike
from cnnviz.graph.operations import called
from cnnviz.types import Array, Image, Score


@method
class GradCAMPP(CAM):
    """ReLU of the channels' sum, each weighed by sum_ij alpha_ijk max(dY/dA_ijk, 0).

    Eq. 10 has alpha = Y'' / (2 Y'' + sum_ab A_ab Y'''), with derivatives by A_ijk. `variant` is how alpha is computed:
    "eq19", the common one, which is eq. 10 if Y is exp of the score and the network is piecewise linear; "torchcam" and
    "xplique", which differ as their docstrings say; or "eq10" itself, for Y = "exp", "softmax" or "logit" (`of`). If
    the network after the layer is piecewise linear, eq. 10 comes from the logits' Jacobian, one backward pass per
    class; otherwise from nested forward derivatives, about eight forward passes per value of the layer. Y itself is
    left out of the weights, a common factor for exp and softmax. The logit of a piecewise linear network has no second
    derivative, so there is no such map. Chattopadhyay et al. 2018 (arXiv:1710.11063).
    """

    variant: str = "eq19"
    of: str = "exp"

    def __post_init__(self):
        check_known("variant of grad_cam_pp", self.variant, (*VARIANTS, "eq10"))
        check_known("function of the score", self.of, OF)

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        chosen = super().fitted_to(places, image_shape)
        looked_at = [place for place in places if place.name in (chosen.layers or ())]
        if self.variant == "eq10" and any(place.bends for place in looked_at):
            shapes = tuple(place.shape for place in looked_at)
            return NestedGradCAMPP(layers=chosen.layers, shapes=shapes, of=self.of, relu=self.relu)
        return chosen

    def __call__(self, score: Score, image: Image) -> Raw:
        if self.variant != "eq10":
            return super().__call__(score, image)
        activations, gradients = at_layers(score, image, self.layers or ())
        self._check(score, image, activations)
        maps = {
            name: weighed(activations[name], by_jacobian(self.of, score, image, name, gradients[name]))
            for name in activations
        }
        return jax.tree.map(jax.nn.relu, maps) if self.relu else maps

    @property
    def whole(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the map is no sum of parts by channel, as that of eq. 10."""
        return self.variant == "eq10"

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        alpha = VARIANTS[self.variant](activation, gradient)
        return (alpha * jax.nn.relu(gradient)).sum(over_places(gradient))

    def _check(self, score: Score, image: Image, activations: dict[str, Array]) -> None:
        if self.of == "logit":
            raise InputError(
                "The score is piecewise linear in the layer, so the second and third derivatives in eq. 10 are "
                'zero; ask for of="exp" or of="softmax".'
            )
        if bends := unlike(after(score, image, activations), is_piecewise_linear):
            raise InputError(f"Eq. 10 needs the score of a class; this target is nonlinear in it, by {called(bends[0])}.")
