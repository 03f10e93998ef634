"""The equations of Grad-CAM++ and the derivatives they are made of."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.cams import Channels, Map, over_places
from cnnviz.attribution.methods.cams import weighed as by_weights
from cnnviz.types import LOGITS, Activations, Array, Image, Score

OF = ("exp", "softmax", "logit")
Derivatives = tuple[Array, Array, Array]


def eq19(activation: Channels, gradient: Channels) -> Array:
    """g^2 / (2 g^2 + g^3 sum_ab A_ab) where g > 0, else 0, since there it would be multiplied by zero."""
    return _divided(1.0, 2 + gradient * activation.sum(over_places(activation), keepdims=True), gradient > 0)


def torchcam(activation: Channels, gradient: Channels) -> Array:
    """g^2 / (2 g^2 + sum_ab g_ab^3 A_ab): the gradient's cube goes into the sum."""
    square = jnp.square(gradient)
    third = (square * gradient * activation).sum(over_places(activation), keepdims=True)
    return _divided(square, 2 * square + third, gradient > 0)


def xplique(activation: Channels, gradient: Channels) -> Array:
    """g^2 / (2 g^2 + g^3 mean_ab A_ab), divided by the number of places: both sums are means."""
    places = over_places(activation)
    below = 2 + gradient * activation.mean(places, keepdims=True)
    return _divided(1.0, below, gradient > 0) / math.prod(activation.shape[:-1])


VARIANTS: dict[str, Callable[[Channels, Channels], Array]] = {"eq19": eq19, "torchcam": torchcam, "xplique": xplique}


def weighed(activation: Channels, derivatives: Derivatives) -> Map:
    """The channels' sum, weighed by eq. 10 from the derivatives of Y, of the activation's shape."""
    first, second, third = derivatives
    below = 2 * second + activation.sum(over_places(activation), keepdims=True) * third
    alpha = _divided(second, below, below != 0)
    return by_weights(activation, (alpha * jax.nn.relu(first)).sum(over_places(activation)))


def of_exp(first: Array, second: Array, third: Array) -> Derivatives:
    """Y', Y'' and Y''' over Y for Y = exp(f), from the derivatives of f."""
    square = jnp.square(first)
    return first, square + second, first * square + 3 * first * second + third


def logits_in(activations: Activations) -> Array:
    """The logits among the values of a score's layers."""
    return activations[LOGITS]


def by_jacobian(of: str, score: Score, image: Image, layer: str, gradient: Array) -> Derivatives:
    """Y', Y'' and Y''' over Y at a layer after which the logits are piecewise linear, for Y = exp or softmax.

    The derivatives of log softmax are the cumulants of the logits' gradients under the probabilities.
    """
    if of == "exp":
        return of_exp(gradient, jnp.zeros_like(gradient), jnp.zeros_like(gradient))
    logits = lambda offset: logits_in(score(image, {layer: offset})[1])
    p = jax.nn.softmax(logits(jnp.zeros_like(gradient)))
    jacobian = jax.jacrev(logits)(jnp.zeros_like(gradient))
    expected = lambda values: jnp.tensordot(p, values, 1)
    mean = expected(jacobian)
    apart = jacobian - mean[None]
    return of_exp(gradient - mean, -expected(jnp.square(apart)), -expected(apart**3))


def _divided(above: Any, below: Array, where: Array) -> Array:
    """above / below where `where` holds and below is not zero, else 0."""
    fit = where & (below != 0)
    return jnp.where(fit, above / jnp.where(fit, below, 1), 0)
