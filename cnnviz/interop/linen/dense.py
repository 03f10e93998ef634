"""Dense layers, activation functions as layers, and a scale per channel."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from cnnviz.interop.linen.activations import Function, relu
from cnnviz.interop.linen.axes import Values, axes_here, file_shape, from_file_order, shaped_along, to_file_order
from cnnviz.types import Array

glorot = nn.initializers.glorot_uniform()


class Dense(nn.Module):
    """A linear map of the file's last axis, its bias and its activation; the kernel is `[in, out]`."""

    units: int
    use_bias: bool = True
    activation: Function = Function()
    channels_first: bool = False

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        x = to_file_order(x, self.channels_first)
        x, kernel = promote_dtype(x, self.param("kernel", glorot, (x.shape[-1], self.units)), dtype=None)
        y = x @ kernel
        y = self.activation(add_bias(self, y) if self.use_bias else y)
        return from_file_order(y, self.channels_first)


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


class ELU(nn.Module):
    """x, and `alpha * (exp(x) - 1)` where it is negative, as a layer."""

    alpha: float = 1.0

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jax.nn.elu(x, self.alpha)


class ThresholdedReLU(nn.Module):
    """x, and zero where it is at most `theta`, as a layer."""

    theta: float = 1.0

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jnp.where(x > self.theta, x, 0)


class PReLU(nn.Module):
    """x, multiplied by the parameter `alpha` where it is negative; alpha is shared along `shared_axes`."""

    shared_axes: tuple[int, ...] = ()
    channels_first: bool = False

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        shape = file_shape(x.shape, self.channels_first)
        shape = [1 if axis in self.shared_axes else side for axis, side in enumerate(shape)][1:]
        alpha = self.param("alpha", nn.initializers.zeros, tuple(shape))
        return jax.nn.relu(x) - from_file_order(alpha[None], self.channels_first) * jax.nn.relu(-x)


class Softmax(nn.Module):
    """The softmax along an axis, or along several at once, as a layer."""

    axis: tuple[int, ...] = (-1,)
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jax.nn.softmax(x, axis=axes_here(self.axis, x.ndim, self.channels_first))


class LayerScale(nn.Module):
    """x times one parameter per value of the last axis, as in ConvNeXt."""

    dim: int

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        return x * shaped_along(self.param("scale", nn.initializers.ones, (self.dim,)), x, (x.ndim - 1,))


def add_bias(layer: nn.Module, y: Values) -> Values:
    """y plus the layer's parameter `bias`, one number per channel (the last axis)."""
    return y + as_channels(layer.param("bias", nn.initializers.zeros, y.shape[-1:]), y)


def as_channels(vector: Array, x: Values) -> Array:
    """The vector reshaped to broadcast along the last axis of `x`."""
    return vector.reshape((1,) * (x.ndim - 1) + vector.shape)
