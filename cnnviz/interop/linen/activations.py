"""Activation functions, elementwise or along an axis, by their Keras names."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Float

from cnnviz.types import Array

Values = Float[Array, "n ..."]  # a layer's input or output


def relu(x: Values, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Values:
    """x above the threshold, clipped at `max_value`; below it, `negative_slope * (x - threshold)`."""
    positive = jnp.where(x > threshold, x, 0) if threshold else jax.nn.relu(x)
    if max_value is not None:
        positive = jnp.minimum(positive, max_value)
    return positive - negative_slope * jax.nn.relu(threshold - x) if negative_slope else positive


def hard_sigmoid(x: Values, slope: float = 1 / 6) -> Values:
    """A piecewise linear sigmoid; its slope is 1/6 in Keras 3 and 0.2 in earlier versions."""
    return jnp.clip(slope * x + 0.5, 0, 1)


ACTIVATIONS: dict[str, Callable[..., Values]] = {
    "linear": lambda x: x,
    "relu": relu,
    "leaky_relu": lambda x, negative_slope=0.2: jax.nn.leaky_relu(x, negative_slope),
    "relu6": jax.nn.relu6,
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "tanh": jnp.tanh,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "hard_silu": lambda x: x * hard_sigmoid(x),
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "exponential": jnp.exp,
}


@dataclass(frozen=True)
class Function:
    """A function of ACTIVATIONS with its options, such as `("negative_slope", 0.1)`."""

    name: str = "linear"
    options: tuple[tuple[str, float | None], ...] = ()

    def __call__(self, x: Values) -> Values:
        return ACTIVATIONS[self.name](x, **dict(self.options))
