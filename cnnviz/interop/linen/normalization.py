"""Normalization layers with Keras's conventions: by the batch's statistics, by the image's own, by the data's."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.interop.linen.axes import Values, axes_here, shaped_along
from cnnviz.types import Array

CONSTANTS = "constants"  # the collection of statistics of the data, which no training changes
NARROWEST = 1e-7  # the least deviation that is divided by


class BatchNormalization(nn.Module):
    """Normalizes each channel by running statistics; in training by the batch's, which update the running ones."""

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    channels_first: bool = False

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        axes = axes_here([self.axis], x.ndim, self.channels_first)
        mean, var = (shaped_along(value, x, axes) for value in self._statistics(x, axes[0], train))
        return scaled_and_shifted(self, (x - mean) * jax.lax.rsqrt(var + self.epsilon), axes)

    def _statistics(self, x: Values, axis: int, train: bool) -> tuple[Array, Array]:
        """Each channel's mean and variance: running ones, or in training the batch's, which move the running ones."""
        mean = self.variable("batch_stats", "mean", jnp.zeros, (x.shape[axis],))
        var = self.variable("batch_stats", "var", jnp.ones, (x.shape[axis],))
        if not train:
            return mean.value, var.value
        others = tuple(i for i in range(x.ndim) if i != axis)
        batch = x.mean(others), x.var(others)
        if not self.is_initializing():
            for running, new in zip((mean, var), batch, strict=True):
                running.value = self.momentum * running.value + (1 - self.momentum) * new
        return batch


class LayerNormalization(nn.Module):
    """Normalizes the values along `axis` of each image; with `rms` only by their root mean square.

    If not `centered`, divides by their deviation and subtracts nothing, as Keras's `rms_scaling` does.
    """

    axis: tuple[int, ...] = (-1,)
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    rms: bool = False
    centered: bool = True
    channels_first: bool = False

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        axes = axes_here(self.axis, x.ndim, self.channels_first)
        mean = 0 if self.rms else x.mean(axes, keepdims=True)
        var = jnp.square(x - mean).mean(axes, keepdims=True)
        distance = x - mean if self.centered else x
        return scaled_and_shifted(self, distance * jax.lax.rsqrt(var + self.epsilon), axes)


class GroupNormalization(nn.Module):
    """Normalizes each group of channels of each image; -1 groups are as many as there are channels."""

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    channels_first: bool = False

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        (axis,) = axes_here([self.axis], x.ndim, self.channels_first)
        groups, channels = self.groups if self.groups > 0 else x.shape[axis], x.shape[axis]
        if channels % groups:
            raise InputError(f"{groups} groups do not divide {counted(channels, 'channel')}.")
        grouped = x.reshape(*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])
        others = tuple(i for i in range(1, grouped.ndim) if i != axis)
        mean = grouped.mean(others, keepdims=True)
        var = jnp.square(grouped - mean).mean(others, keepdims=True)
        y = ((grouped - mean) * jax.lax.rsqrt(var + self.epsilon)).reshape(x.shape)
        return scaled_and_shifted(self, y, (axis,))


class UnitNormalization(nn.Module):
    """Divides the values along `axis` by their Euclidean norm."""

    axis: tuple[int, ...] = (-1,)
    channels_first: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        squares = jnp.square(x).sum(axes_here(self.axis, x.ndim, self.channels_first), keepdims=True)
        return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))


class Normalization(nn.Module):
    """(x - mean) / deviation along `axis`, with statistics of the data: those given, or the model's variables.

    With `invert` the inverse.
    """

    axis: tuple[int, ...] = (-1,)
    mean: tuple[float, ...] = ()
    variance: tuple[float, ...] = ()
    invert: bool = False
    channels_first: bool = False

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        axes = axes_here(sorted(axis % x.ndim for axis in self.axis), x.ndim, self.channels_first)
        mean, var = (shaped_along(value, x, axes) for value in self._statistics([x.shape[axis] for axis in axes]))
        deviation = jnp.maximum(jnp.sqrt(var), NARROWEST)
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def _statistics(self, shape: Sequence[int]) -> tuple[Array, Array]:
        if self.mean:
            mean, var = (jnp.asarray(values, jnp.float32) for values in (self.mean, self.variance))
            if mean.size == math.prod(shape):
                return mean.reshape(shape), var.reshape(shape)
            return jnp.broadcast_to(mean, shape), jnp.broadcast_to(var, shape)
        mean = self.variable(CONSTANTS, "mean", jnp.zeros, tuple(shape))
        var = self.variable(CONSTANTS, "var", jnp.ones, tuple(shape))
        return mean.value, var.value


class Rescaling(nn.Module):
    """x times `scale` plus `offset`: each one number, or one per channel."""

    scale: tuple[float, ...]
    offset: tuple[float, ...] = (0.0,)

    def __call__(self, x: Values, train: bool = False) -> Values:
        scale, offset = (self._by_channel(values, x) for values in (self.scale, self.offset))
        return x * scale + offset

    def _by_channel(self, values: tuple[float, ...], x: Values) -> Array:
        array = jnp.asarray(values, x.dtype)
        return array[0] if array.size == 1 else array.reshape((1,) * (x.ndim - 1) + array.shape)


def scaled_and_shifted(layer: nn.Module, y: Values, axes: Sequence[int]) -> Values:
    """y times the layer's parameter `scale` plus its `bias`, along these axes, if the layer has them."""
    shape = tuple(y.shape[axis] for axis in axes)
    if layer.scale:
        y = y * shaped_along(layer.param("scale", nn.initializers.ones, shape), y, axes)
    if layer.center:
        y = y + shaped_along(layer.param("bias", nn.initializers.zeros, shape), y, axes)
    return y
