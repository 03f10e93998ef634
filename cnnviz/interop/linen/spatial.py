"""Image layers with Keras's conventions: convolutions, pooling and padding."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.interop.linen.activations import Function, Values
from cnnviz.interop.linen.sequential import add_bias, glorot
from cnnviz.types import Array, Images, Key

Maps = Float[Array, "n i j k"]  # as Images, of another size
Pair = tuple[int, int]


class Conv2D(nn.Module):
    """A convolution, its bias and its activation; the kernel is `[h, w, in / groups, out]`.

    Raises InputError if the groups do not divide the input channels and the filters.
    """

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
        return self.activation(add_bias(self, y) if self.use_bias else y)


class DepthwiseConv2D(nn.Module):
    """A convolution of each channel separately into `depth_multiplier` channels; the kernel is `[h, w, 1, out]`."""

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
            """Glorot with Keras's fans, those of the kernel `[h, w, in, multiplier]`."""
            return glorot(key, (*self.kernel_size, channels, self.depth_multiplier)).reshape(shape)

        kernel = self.param("kernel", init, (*self.kernel_size, 1, channels * self.depth_multiplier))
        y = _convolve(x, kernel, self.strides, self.padding, self.dilation, groups=channels)
        return self.activation(add_bias(self, y) if self.use_bias else y)


class MaxPooling2D(nn.Module):
    """The maximum over each window."""

    pool_size: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: str = "valid"

    def __call__(self, x: Images, train: bool = False) -> Maps:
        return nn.max_pool(x, self.pool_size, self.strides, self.padding.upper())


class AveragePooling2D(nn.Module):
    """The mean over each window, without the values that `same` pads."""

    pool_size: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: str = "valid"

    def __call__(self, x: Images, train: bool = False) -> Maps:
        # without padding both counts agree, and dividing by a constant gives a simpler graph
        return nn.avg_pool(x, self.pool_size, self.strides, self.padding.upper(), self.padding == "valid")


class GlobalAveragePooling2D(nn.Module):
    """The mean over the image per channel: `[n c]`, or `[n 1 1 c]` with `keepdims`."""

    keepdims: bool = False

    def __call__(self, x: Images, train: bool = False) -> Values:
        return x.mean(axis=(1, 2), keepdims=self.keepdims)


class ZeroPadding2D(nn.Module):
    """Zeros around the image: `((top, bottom), (left, right))`."""

    padding: tuple[Pair, Pair]

    def __call__(self, x: Images, train: bool = False) -> Maps:
        return jnp.pad(x, ((0, 0), *self.padding, (0, 0)))


def _convolve(x: Images, kernel: Array, strides: Pair, padding: str, dilation: Pair, groups: int) -> Maps:
    x, kernel = promote_dtype(x, kernel, dtype=None)
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, strides, padding.upper(), None, dilation, layout, feature_group_count=groups
    )
