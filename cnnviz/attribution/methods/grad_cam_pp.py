"""Grad-CAM++: a layer's channels, weighed by their gradients at the places where they say most."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place, after
from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.shapes import Raw, at_layers, method
from cnnviz.errors import InputError, unknown
from cnnviz.graph.linearity import PIECEWISE_LINEAR, unlike
from cnnviz.types import LOGITS, Array, Image, Score

OF = ("exp", "softmax", "logit")
Derivatives = tuple[Array, Array, Array]


def eq19(activation: Channels, gradient: Channels) -> Array:
    """g^2 / (2 g^2 + g^3 sum_ab A_ab), where g > 0: elsewhere it is multiplied by zero."""
    return _divided(1.0, 2 + gradient * activation.sum((0, 1)), gradient > 0)


def torchcam(activation: Channels, gradient: Channels) -> Array:
    """g^2 / (2 g^2 + sum_ab g_ab^3 A_ab): the gradient's cube goes into the sum."""
    square = jnp.square(gradient)
    return _divided(square, 2 * square + (square * gradient * activation).sum((0, 1)), gradient > 0)


def xplique(activation: Channels, gradient: Channels) -> Array:
    """g^2 / (2 g^2 + g^3 mean_ab A_ab), over the number of places: means take the place of both sums."""
    places = activation.shape[0] * activation.shape[1]
    return _divided(1.0, 2 + gradient * activation.mean((0, 1)), gradient > 0) / places


VARIANTS: dict[str, Callable[[Channels, Channels], Array]] = {"eq19": eq19, "torchcam": torchcam, "xplique": xplique}


@method
class GradCAMPP(CAM):
    """ReLU of the channels' sum, each weighed by sum_ij alpha_ijk max(dY/dA_ijk, 0).

    Eq. 10 has alpha = Y'' / (2 Y'' + sum_ab A_ab Y'''), with derivatives by A_ijk. `variant` says what is computed:
    "eq19", the usual one, which is eq. 10 where Y is exp of the score and the network is linear in pieces; "torchcam"
    and "xplique", which differ as their docstrings say; or "eq10" itself, of Y = "exp", "softmax" or "logit" (`of`).
    Where the network after the layer is linear in pieces eq. 10 comes from the logits' Jacobian, a backward pass a
    class; otherwise from nested forward derivatives, about eight forward passes for each value of the layer. Y itself
    is left out of the weights as a common factor of exp and softmax. The logit of a network that is linear in pieces
    has no second derivative, so no such map. Chattopadhyay et al. 2018 (arXiv:1710.11063).
    """

    variant: str = "eq19"
    of: str = "exp"

    def __post_init__(self):
        if self.variant not in (*VARIANTS, "eq10"):
            raise unknown("variant of grad_cam_pp", self.variant, (*VARIANTS, "eq10"))
        if self.of not in OF:
            raise unknown("function of the score", self.of, OF)

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        chosen = super().fitted_to(places, image_shape)
        looked_at = [place for place in places if place.name in (chosen.layers or ())]
        if self.variant == "eq10" and any(place.bends for place in looked_at):
            from cnnviz.attribution.methods.grad_cam_pp_nested import NestedGradCAMPP

            return NestedGradCAMPP(layers=chosen.layers, shapes=tuple(p.shape for p in looked_at), of=self.of)
        return chosen

    def __call__(self, score: Score, image: Image) -> Raw:
        if self.variant != "eq10":
            return super().__call__(score, image)
        activations, gradients = at_layers(score, image, self.layers or ())
        self._check(score, image, activations)
        maps = {
            name: weighed(activations[name], _by_jacobian(self.of, score, image, name, gradients[name]))
            for name in activations
        }
        return jax.tree.map(jax.nn.relu, maps) if self.relu else maps

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        alpha = VARIANTS[self.variant](activation, gradient)
        return jnp.einsum("hwc,c->hw", activation, (alpha * jax.nn.relu(gradient)).sum((0, 1)))

    def _check(self, score: Score, image: Image, activations: dict[str, Array]) -> None:
        if self.of == "logit":
            raise InputError(
                "The score is linear in pieces in the layer, so its second and third derivatives, of which eq. 10 is "
                'made, are zero; ask for of="exp" or of="softmax".'
            )
        if bends := unlike(after(score, image, activations), PIECEWISE_LINEAR):
            raise InputError(f"Eq. 10 is of a class's score; this target bends it by {bends[0]}: give a class.")


def weighed(activation: Channels, derivatives: Derivatives) -> Map:
    """The channels' sum, weighed by eq. 10 from the derivatives of Y."""
    first, second, third = derivatives
    below = 2 * second + activation.sum((0, 1)) * third
    alpha = _divided(second, below, below != 0)
    return jnp.einsum("hwc,c->hw", activation, (alpha * jax.nn.relu(first)).sum((0, 1)))


def of_exp(first: Array, second: Array, third: Array) -> Derivatives:
    """Y', Y'' and Y''' over Y, for Y = exp of what has these derivatives."""
    square = jnp.square(first)
    return first, square + second, first * square + 3 * first * second + third


def _by_jacobian(of: str, score: Score, image: Image, layer: str, gradient: Array) -> Derivatives:
    """The derivatives over Y where the logits are linear in pieces; those of log softmax are the cumulants of their
    gradients under the probabilities."""
    if of == "exp":
        return of_exp(gradient, jnp.zeros_like(gradient), jnp.zeros_like(gradient))
    logits = lambda offset: score(image, {layer: offset})[1][LOGITS]
    p = jax.nn.softmax(logits(jnp.zeros_like(gradient)))
    jacobian = jax.jacrev(logits)(jnp.zeros_like(gradient))
    expected = lambda values: jnp.einsum("k,khwc->hwc", p, values)
    mean = expected(jacobian)
    apart = jacobian - mean
    return of_exp(gradient - mean, -expected(jnp.square(apart)), -expected(apart**3))


def _divided(above: Any, below: Array, where: Array) -> Array:
    """above / below where that is wanted and below is not zero, else 0."""
    fit = where & (below != 0)
    return jnp.where(fit, above / jnp.where(fit, below, 1), 0)
