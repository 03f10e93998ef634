"""The balls that a change of an image stays in: steepest steps, and projections back."""

import jax.numpy as jnp

from cnnviz.errors import check_known
from cnnviz.types import Array, Image, Scalar

NORMS = ("linf", "l2")
SMALLEST = 1e-12


def check_norm(norm: str) -> None:
    """Raises InputError unless this is a norm's name."""
    check_known("norm", norm, NORMS)


def length(change: Array, norm: str) -> Scalar:
    """The norm of a change."""
    return abs(change).max() if norm == "linf" else jnp.sqrt(jnp.square(change).sum())


def steepest(gradient: Array, norm: str) -> Array:
    """The change of length 1 along which a function of this gradient grows most."""
    return jnp.sign(gradient) if norm == "linf" else gradient / jnp.maximum(length(gradient, norm), SMALLEST)


def within(image: Image, change: Array, norm: str, epsilon: Scalar, low: float, high: float) -> Image:
    """The image with the change, shortened to `epsilon`, and with its values between `low` and `high`."""
    if norm == "linf":
        change = jnp.clip(change, -epsilon, epsilon)
    else:
        change *= jnp.minimum(1.0, epsilon / jnp.maximum(length(change, norm), SMALLEST))
    return jnp.clip(image + change, low, high)
