"""Convolutions with Keras's conventions, for images of any number of spatial axes, `[n, *axes, c]`."""

import flax.linen as nn
import jax
from flax.linen.dtypes import promote_dtype

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.interop.linen.activations import Function
from cnnviz.interop.linen.axes import Values
from cnnviz.interop.linen.dense import add_bias, glorot
from cnnviz.interop.linen.reshaping import padded
from cnnviz.types import Array, Key

Sizes = tuple[int, ...]  # one for each spatial axis
SPATIAL = "DHW"


class Conv(nn.Module):
    """A convolution, its bias and its activation; the kernel is `[*kernel_size, in / groups, out]`.

    Raises InputError if the groups do not divide the input channels and the filters.
    """

    filters: int
    kernel_size: Sizes
    strides: Sizes = ()
    padding: str = "valid"
    dilation: Sizes = ()
    groups: int = 1
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        if x.shape[-1] % self.groups or self.filters % self.groups:
            raise InputError(
                f"{self.groups} groups do not divide {counted(x.shape[-1], 'input')} and "
                f"{counted(self.filters, 'filter')}."
            )
        shape = (*self.kernel_size, x.shape[-1] // self.groups, self.filters)
        y = convolve(self, x, self.param("kernel", glorot, shape), self.groups)
        return self.activation(add_bias(self, y) if self.use_bias else y)


class DepthwiseConv(nn.Module):
    """A convolution of each channel separately into `depth_multiplier` channels; the kernel is `[..., 1, out]`."""

    kernel_size: Sizes
    depth_multiplier: int = 1
    strides: Sizes = ()
    padding: str = "valid"
    dilation: Sizes = ()
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        channels = x.shape[-1]

        def init(key: Key, shape: tuple[int, ...]) -> Array:
            """Glorot with Keras's fans, those of the kernel `[..., in, multiplier]`."""
            return glorot(key, (*self.kernel_size, channels, self.depth_multiplier)).reshape(shape)

        kernel = self.param("kernel", init, (*self.kernel_size, 1, channels * self.depth_multiplier))
        y = convolve(self, x, kernel, groups=channels)
        return self.activation(add_bias(self, y) if self.use_bias else y)


class SeparableConv(nn.Module):
    """A depthwise convolution and a convolution of single positions, `depthwise` and `pointwise`; one activation."""

    filters: int
    kernel_size: Sizes
    depth_multiplier: int = 1
    strides: Sizes = ()
    padding: str = "valid"
    dilation: Sizes = ()
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        window = self.kernel_size, self.depth_multiplier, self.strides, self.padding, self.dilation
        y = DepthwiseConv(*window, use_bias=False, name="depthwise")(x)
        ones = (1,) * len(self.kernel_size)
        return self.activation(Conv(self.filters, ones, use_bias=self.use_bias, name="pointwise")(y))


class ConvTranspose(nn.Module):
    """The transpose of a convolution, its bias and its activation; the kernel is `[*kernel_size, out, in]`."""

    filters: int
    kernel_size: Sizes
    strides: Sizes = ()
    padding: str = "valid"
    dilation: Sizes = ()
    output_padding: Sizes = ()
    use_bias: bool = True
    activation: Function = Function()

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        kernel = self.param("kernel", glorot, (*self.kernel_size, self.filters, x.shape[-1]))
        x, kernel = promote_dtype(x, kernel, dtype=None)
        strides, dilation = sizes(self, x)
        y = jax.lax.conv_transpose(x, kernel, strides, self._padding(x), dilation, layout(x), transpose_kernel=True)
        return self.activation(add_bias(self, y) if self.use_bias else y)

    def _padding(self, x: Values) -> list[tuple[int, int]]:
        """Zeros before and after each axis of the input, whose values stand `stride` apart."""
        more = self.output_padding or (None,) * len(self.kernel_size)
        windows = zip(self.kernel_size, *sizes(self, x), more, strict=True)
        return [self._padding_along((size - 1) * rate + 1, stride, extra) for size, stride, rate, extra in windows]

    def _padding_along(self, span: int, stride: int, more: int | None) -> tuple[int, int]:
        """Keras's zeros for a window of this span; `more` values follow the output, by default up to the stride."""
        if self.padding == "valid":
            return span - 1, span - 1 + (max(stride - span, 0) if more is None else more)
        total = span + stride - 2 if more is None else span + span % 2 - 2 + more
        before = min(total // 2 + total % 2, span - 1)
        return before, total - before


def sizes(layer: nn.Module, x: Values) -> tuple[Sizes, Sizes]:
    """Strides and dilation of a layer, by default 1. Raises InputError unless `x` has as many axes as its window."""
    count = len(layer.kernel_size)
    if x.ndim != count + 2:
        raise InputError(f"a window of {count} axes does not fit values of shape {x.shape[1:]}.")
    return layer.strides or (1,) * count, layer.dilation or (1,) * count


def layout(x: Values) -> tuple[str, str, str]:
    """The order of axes in images, kernel and output."""
    axes = SPATIAL[5 - x.ndim :]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def convolve(layer: nn.Module, x: Values, kernel: Array, groups: int) -> Values:
    """The convolution of `x` by the layer's options, without bias; `causal` padding puts all zeros before."""
    strides, dilation = sizes(layer, x)
    x, kernel = promote_dtype(x, kernel, dtype=None)
    padding = layer.padding.upper()
    if layer.padding == "causal":
        x, padding = padded(x, [((layer.kernel_size[0] - 1) * dilation[0], 0)]), "VALID"
    return jax.lax.conv_general_dilated(
        x, kernel, strides, padding, None, dilation, layout(x), feature_group_count=groups
    )
