"""Pooling with Keras's conventions, for images of any number of spatial axes, `[n, *axes, c]`."""

import flax.linen as nn

from cnnviz.interop.linen.axes import Values
from cnnviz.interop.linen.convolution import Sizes
from cnnviz.interop.linen.reshaping import check_axes


class MaxPooling(nn.Module):
    """The maximum over each window."""

    pool_size: Sizes = (2, 2)
    strides: Sizes = (2, 2)
    padding: str = "valid"

    def __call__(self, x: Values, train: bool = False) -> Values:
        check_axes(x, self.pool_size)
        return nn.max_pool(x, self.pool_size, self.strides, self.padding.upper())


class AveragePooling(nn.Module):
    """The mean over each window, without the values that `same` pads."""

    pool_size: Sizes = (2, 2)
    strides: Sizes = (2, 2)
    padding: str = "valid"

    def __call__(self, x: Values, train: bool = False) -> Values:
        check_axes(x, self.pool_size)
        # without padding both counts agree, and dividing by a constant gives a simpler graph
        return nn.avg_pool(x, self.pool_size, self.strides, self.padding.upper(), self.padding == "valid")


class GlobalAveragePooling(nn.Module):
    """The mean over all places per channel: `[n c]`, or `[n 1 1 c]` with `keepdims`."""

    keepdims: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        return x.mean(axis=tuple(range(1, x.ndim - 1)), keepdims=self.keepdims)


class GlobalMaxPooling(nn.Module):
    """The maximum over all places per channel: `[n c]`, or `[n 1 1 c]` with `keepdims`."""

    keepdims: bool = False

    def __call__(self, x: Values, train: bool = False) -> Values:
        return x.max(axis=tuple(range(1, x.ndim - 1)), keepdims=self.keepdims)
