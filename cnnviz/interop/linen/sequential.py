"""A chain of layers, each a Linen module: the model that an imported file becomes.

A Linen module is a frozen, hashable dataclass, so its fields hold the layer's description in the file. A layer's
output is Keras's `layer.output`: that of a convolution comes after its activation. Called without `train`, the model is
in evaluation mode.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.interop.linen.activations import Function, Values, relu
from cnnviz.types import Array, Images

glorot = nn.initializers.glorot_uniform()


class Sequential(nn.Module):
    """Named layers one after the other, for images of `image_shape`, `(h, w, c)`."""

    layers: tuple[tuple[str, nn.Module], ...]
    image_shape: tuple[int, int, int]

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Values:
        for name, layer in self.layers:
            # a clone, since Flax renames a module in a field after the field
            x = layer.clone(name=name, parent=self)(x, train)
        return x


class Dense(nn.Module):
    """A linear map of the last axis, its bias and its activation; the kernel is `[in, out]`."""

    units: int
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        x, kernel = promote_dtype(x, self.param("kernel", glorot, (x.shape[-1], self.units)), dtype=None)
        y = x @ kernel
        return self.activation(add_bias(self, y) if self.use_bias else y)


class BatchNormalization(nn.Module):
    """Normalizes the last axis by running statistics; in training by the batch's, which update the running ones.

    Raises InputError if `axis` is not the last.
    """

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        if self.axis not in (-1, x.ndim - 1):
            raise InputError(f"The axis to normalize is the last, the channels; it was {self.axis} of {x.ndim} axes.")
        mean, var = _statistics(self, x, train)
        y = (x - _as_channels(mean, x)) * _as_channels(jax.lax.rsqrt(var + self.epsilon), x)
        if self.scale:
            y = y * _as_channels(self.param("scale", nn.initializers.ones, x.shape[-1:]), x)
        return add_bias(self, y) if self.center else y


class Flatten(nn.Module):
    """All values of an image on one axis, in row-major order."""

    def __call__(self, x: Values, train: bool = False) -> Float[Array, "n p"]:
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Dropout(nn.Module):
    """The identity in evaluation; in training a fraction `rate` of values is set to zero and the rest scaled up."""

    rate: float

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        if not train or self.rate == 0:
            return x
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0)


class Activation(nn.Module):
    """An activation function as a layer."""

    function: Function

    def __call__(self, x: Values, train: bool = False) -> Values:
        return self.function(x)


class ReLU(nn.Module):
    """`relu` with its options, as a layer."""

    negative_slope: float = 0.0
    max_value: float | None = None
    threshold: float = 0.0

    def __call__(self, x: Values, train: bool = False) -> Values:
        return relu(x, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(nn.Module):
    """x, multiplied by `negative_slope` where it is negative, as a layer."""

    negative_slope: float = 0.3

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jax.nn.leaky_relu(x, self.negative_slope)


class Softmax(nn.Module):
    """The softmax along an axis, as a layer."""

    axis: int = -1

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jax.nn.softmax(x, axis=self.axis)


def add_bias(layer: nn.Module, y: Values) -> Values:
    """y plus the layer's parameter `bias`, one number per channel (the last axis)."""
    return y + _as_channels(layer.param("bias", nn.initializers.zeros, y.shape[-1:]), y)


def _as_channels(vector: Float[Array, " c"], x: Values) -> Float[Array, "..."]:
    """The vector reshaped to broadcast along the last axis of `x`."""
    return vector.reshape((1,) * (x.ndim - 1) + vector.shape)


def _statistics(layer: BatchNormalization, x: Values, train: bool) -> tuple[Float[Array, " c"], Float[Array, " c"]]:
    """Mean and variance of each channel: the running ones, or in training the batch's, which move the running ones."""
    mean = layer.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
    var = layer.variable("batch_stats", "var", jnp.ones, x.shape[-1:])
    if not train:
        return mean.value, var.value
    axes = tuple(range(x.ndim - 1))
    batch = x.mean(axes), x.var(axes)
    if not layer.is_initializing():
        for running, new in zip((mean, var), batch, strict=True):
            running.value = layer.momentum * running.value + (1 - layer.momentum) * new
    return batch
