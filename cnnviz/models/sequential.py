"""A chain of layers, each one Linen module: what a model from another framework becomes.

The layers are their own specification: a Linen module is a frozen, hashable dataclass, and its fields are what a file
says of the layer. They compute in Keras's terms, so a layer's output is what Keras calls `layer.output`: that of a
convolution comes after its activation. Called without `train`, the model is in evaluation mode.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.types import Array, Images, Key

Values = Float[Array, "n ..."]  # a layer's input or output
Maps = Float[Array, "n i j k"]  # as Images, of another size
Pair = tuple[int, int]

glorot = nn.initializers.glorot_uniform()


class Sequential(nn.Module):
    """Named layers one after the other, for images of `image_shape`."""

    layers: tuple[tuple[str, nn.Module], ...]
    image_shape: tuple[int, int, int]

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Values:
        for name, layer in self.layers:
            # a clone, since a module that comes in by a field is renamed after the field
            x = layer.clone(name=name, parent=self)(x, train)
        return x


def relu(x: Values, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Values:
    """x above the threshold, cut off at `max_value`; below, the slope times the distance from the threshold."""
    positive = jnp.where(x > threshold, x, 0) if threshold else jax.nn.relu(x)
    if max_value is not None:
        positive = jnp.minimum(positive, max_value)
    return positive - negative_slope * jax.nn.relu(threshold - x) if negative_slope else positive


def hard_sigmoid(x: Values, slope: float = 1 / 6) -> Values:
    """A sigmoid of three straight lines; Keras 3 has the slope 1/6, earlier versions 0.2."""
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
    """A member of ACTIVATIONS with options of its own, such as `("negative_slope", 0.1)`."""

    name: str = "linear"
    options: tuple[tuple[str, float | None], ...] = ()

    def __call__(self, x: Values) -> Values:
        return ACTIVATIONS[self.name](x, **dict(self.options))


class Conv2D(nn.Module):
    """A convolution, its bias and its activation; the kernel is `[h, w, in / groups, out]`."""

    filters: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: str = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Images, train: bool = False) -> Maps:
        if x.shape[-1] % self.groups or self.filters % self.groups:
            raise InputError(f"{self.groups} groups do not divide {x.shape[-1]} inputs and {self.filters} filters.")
        shape = (*self.kernel_size, x.shape[-1] // self.groups, self.filters)
        kernel = self.param("kernel", glorot, shape)
        y = _convolve(x, kernel, self.strides, self.padding, self.dilation, self.groups)
        return self.activation(_add_bias(self, y) if self.use_bias else y)


class DepthwiseConv2D(nn.Module):
    """A convolution of each channel by itself into `depth_multiplier` channels; the kernel is `[h, w, 1, out]`."""

    kernel_size: Pair
    depth_multiplier: int = 1
    strides: Pair = (1, 1)
    padding: str = "valid"
    dilation: Pair = (1, 1)
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Images, train: bool = False) -> Maps:
        channels = x.shape[-1]

        def init(key: Key, shape: tuple[int, ...]) -> Array:
            """Glorot as Keras counts it, on the kernel [h, w, in, multiplier]."""
            return glorot(key, (*self.kernel_size, channels, self.depth_multiplier)).reshape(shape)

        kernel = self.param("kernel", init, (*self.kernel_size, 1, channels * self.depth_multiplier))
        y = _convolve(x, kernel, self.strides, self.padding, self.dilation, groups=channels)
        return self.activation(_add_bias(self, y) if self.use_bias else y)


class Dense(nn.Module):
    """A linear map of the last axis, its bias and its activation; the kernel is `[in, out]`."""

    units: int
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        x, kernel = promote_dtype(x, self.param("kernel", glorot, (x.shape[-1], self.units)), dtype=None)
        y = x @ kernel
        return self.activation(_add_bias(self, y) if self.use_bias else y)


class BatchNormalization(nn.Module):
    """The last axis shifted and scaled by running statistics; in training by the batch's own, which update them."""

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
        return _add_bias(self, y) if self.center else y


class MaxPooling2D(nn.Module):
    """The maximum over each window."""

    pool_size: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: str = "valid"

    def __call__(self, x: Images, train: bool = False) -> Maps:
        return nn.max_pool(x, self.pool_size, self.strides, self.padding.upper())


class AveragePooling2D(nn.Module):
    """The mean over each window; what `same` pads is not counted."""

    pool_size: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: str = "valid"

    def __call__(self, x: Images, train: bool = False) -> Maps:
        # with no padding both counts agree, and the division by a plain number is the simpler graph
        return nn.avg_pool(x, self.pool_size, self.strides, self.padding.upper(), self.padding == "valid")


class GlobalAveragePooling2D(nn.Module):
    """The mean over the image, for each channel."""

    keepdims: bool = False

    def __call__(self, x: Images, train: bool = False) -> Values:
        return x.mean(axis=(1, 2), keepdims=self.keepdims)


class ZeroPadding2D(nn.Module):
    """Zeros around the image: `((top, bottom), (left, right))`."""

    padding: tuple[Pair, Pair]

    def __call__(self, x: Images, train: bool = False) -> Maps:
        return jnp.pad(x, ((0, 0), *self.padding, (0, 0)))


class Flatten(nn.Module):
    """All values of an image on one axis, the channels of one pixel side by side."""

    def __call__(self, x: Values, train: bool = False) -> Float[Array, "n p"]:
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Dropout(nn.Module):
    """The identity in evaluation; in training a share `rate` of values is zero and the others are scaled up."""

    rate: float

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        if not train or self.rate == 0:
            return x
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0)


class Activation(nn.Module):
    """A function of each value, or a softmax, as a layer of its own."""

    function: Function

    def __call__(self, x: Values, train: bool = False) -> Values:
        return self.function(x)


class ReLU(nn.Module):
    """`relu` with its options, as a layer of its own."""

    negative_slope: float = 0.0
    max_value: float | None = None
    threshold: float = 0.0

    def __call__(self, x: Values, train: bool = False) -> Values:
        return relu(x, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(nn.Module):
    """x, times the slope where it is negative, as a layer of its own."""

    negative_slope: float = 0.3

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jax.nn.leaky_relu(x, self.negative_slope)


class Softmax(nn.Module):
    """exp(x) over its sum along an axis, as a layer of its own."""

    axis: int = -1

    def __call__(self, x: Values, train: bool = False) -> Values:
        return jax.nn.softmax(x, axis=self.axis)


def _convolve(x: Images, kernel: Array, strides: Pair, padding: str, dilation: Pair, groups: int) -> Maps:
    x, kernel = promote_dtype(x, kernel, dtype=None)
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, strides, padding.upper(), None, dilation, layout, feature_group_count=groups
    )


def _add_bias(layer: nn.Module, y: Values) -> Values:
    return y + _as_channels(layer.param("bias", nn.initializers.zeros, y.shape[-1:]), y)


def _as_channels(vector: Float[Array, " c"], x: Values) -> Float[Array, "..."]:
    """The vector with as many axes as `x`, along its last."""
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
