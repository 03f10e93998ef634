"""Activation functions, elementwise or along an axis, by their Keras names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.interop.linen.axes import Values, axis_here


def relu(x: Values, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Values:
    """x above the threshold, clipped at `max_value`; below it, `negative_slope * (x - threshold)`."""
    positive = jnp.where(x > threshold, x, 0) if threshold else jax.nn.relu(x)
    if max_value is not None:
        positive = jnp.minimum(positive, max_value)
    return positive - negative_slope * jax.nn.relu(threshold - x) if negative_slope else positive


def hard_sigmoid(x: Values, slope: float = 1 / 6) -> Values:
    """A piecewise linear sigmoid; its slope is 1/6 in Keras 3 and 0.2 in earlier versions."""
    return jnp.clip(slope * x + 0.5, 0, 1)


def soft_shrink(x: Values, threshold: float = 0.5) -> Values:
    """x, `threshold` closer to zero; zero for values that are closer to it than that."""
    return jnp.sign(x) * jax.nn.relu(jnp.abs(x) - threshold)


def hard_shrink(x: Values, threshold: float = 0.5) -> Values:
    """x, and zero for values that are at most `threshold` from zero."""
    return jnp.where(jnp.abs(x) > threshold, x, 0)


def sparsemax(x: Values, axis: int = -1) -> Values:
    """Keras's sparsemax: x minus a threshold, where that is positive.

    The projection onto the probabilities (Martins & Astudillo 2016) takes the last of the cumulative sums for the
    threshold, where Keras takes all of them; models are trained with Keras's, whose values need not sum to 1.
    """
    z = jnp.flip(jnp.sort(x, axis=axis), axis)
    sums = jnp.cumsum(z, axis=axis)
    count = jax.lax.broadcasted_iota(x.dtype, x.shape, axis % x.ndim) + 1
    supported = z - (sums - 1) / count > 0
    total = jnp.where(supported, sums, 0).sum(axis, keepdims=True)
    return jax.nn.relu(x - (total - 1) / supported.sum(axis, keepdims=True))


ACTIVATIONS: dict[str, Callable[..., Values]] = {
    "linear": lambda x: x,
    "relu": relu,
    "leaky_relu": lambda x, negative_slope=0.2: jax.nn.leaky_relu(x, negative_slope),
    "relu6": jax.nn.relu6,
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "log_sigmoid": jax.nn.log_sigmoid,
    "sparse_sigmoid": lambda x: jnp.clip((x + 1) / 2, 0, 1),
    "tanh": jnp.tanh,
    "hard_tanh": jax.nn.hard_tanh,
    "tanh_shrink": lambda x: x - jnp.tanh(x),
    "hard_shrink": hard_shrink,
    "soft_shrink": soft_shrink,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "gelu": lambda x, approximate=False: jax.nn.gelu(x, approximate=bool(approximate)),
    "glu": jax.nn.glu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "hard_silu": lambda x: x * hard_sigmoid(x),
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "softplus": jax.nn.softplus,
    "squareplus": jax.nn.squareplus,
    "sparse_plus": jax.nn.sparse_plus,
    "softsign": jax.nn.soft_sign,
    "sparsemax": sparsemax,
    "exponential": jnp.exp,
}


ALONG_AXIS = ("softmax", "log_softmax", "sparsemax", "glu")


@dataclass(frozen=True)
class Function:
    """A function of ACTIVATIONS with its options, such as `("negative_slope", 0.1)`; an axis is the file's."""

    name: str = "linear"
    options: tuple[tuple[str, Any], ...] = ()
    channels_first: bool = False

    def __call__(self, x: Values) -> Values:
        options: dict[str, Any] = dict(self.options)
        if self.name in ALONG_AXIS:
            options["axis"] = axis_here(options.get("axis", -1), x.ndim, self.channels_first)
        return ACTIVATIONS[self.name](x, **options)
