"""Convolutions from or to few channels in forms that are fast on CPU, where a matrix product of few columns is not.

Apply after differentiation: differentiating the rewritten convolution would not give a rewritten gradient.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.fast.pooling import at_each_place
from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.graph import Node
from cnnviz.types import Array

FEW_IMAGES = 8  # with fewer, a layer that adds channels gains nothing: XLA would repeat the sum for each of its readers
MOST_TERMS = 36  # in a sum of shifted images, which reads that many images
UNEVEN_TERMS = 12  # if the channels do not fill a vector: XLA's tanh of a longer sum takes 8 times as long
FEW, SOME = 8, 16  # output channels for which a convolution computes 4 columns, or 2, at once


class Convolution(NamedTuple):
    """How a kernel is applied to images `[n *space c]`: one entry per axis of space."""

    strides: Sequence[int]
    padding: Sequence[tuple[int, int]]
    image_dilation: Sequence[int]
    kernel_dilation: Sequence[int]


def fast_form(node: Node) -> Callable[[Array, Array], Array] | None:
    """The node as a function of images `[n *space c]` and kernel, in a form that is faster than the primitive.

    None if there is no such form: for other layouts, groups, low precision, or many channels.
    """
    if not is_on(Rewrite.CONVOLUTIONS):
        return None
    x, kernel = node.inputs
    params, last = node.params, len(x.shape) - 1
    layout, groups = params["dimension_numbers"], params["feature_group_count"] * params["batch_group_count"]
    alike = x.dtype == kernel.dtype == node.outputs[0].dtype and x.dtype in (jnp.float32, jnp.float64)
    if layout.lhs_spec != (0, last, *range(1, last)) or layout.out_spec != layout.lhs_spec or groups != 1 or not alike:
        return None
    if last < 2 or 0 in (*x.shape, *node.outputs[0].shape):
        return None
    outputs, inputs, *axes = layout.rhs_spec
    form = _form(node, kernel.shape[inputs], kernel.shape[outputs], [kernel.shape[axis] for axis in axes])
    how = Convolution(params["window_strides"], params["padding"], params["lhs_dilation"], params["rhs_dilation"])
    channels_last = lambda kernel: kernel.transpose(*axes, inputs, outputs)
    return form and (lambda x, kernel: form(x, channels_last(kernel), how, node.outputs[0].shape))


def _form(node: Node, inputs: int, outputs: int, sides: Sequence[int]) -> Callable[..., Array] | None:
    places, params = math.prod(sides), node.params
    is_plain = set(params["lhs_dilation"]) == {1}
    if places == 1 or node.inputs[0].shape[0] < FEW_IMAGES and outputs > inputs:
        return None
    if is_plain and inputs * places <= (UNEVEN_TERMS if outputs % FEW else MOST_TERMS):
        return sum_of_shifts
    if set(params["window_strides"]) != {1}:
        return None
    if outputs * places <= MOST_TERMS:
        return sum_of_places
    if is_plain and set(params["rhs_dilation"]) == {1} and outputs <= SOME and sides[-1] > 1:
        return columns_at_once
    return None


def sum_of_shifts(x: Array, kernel: Array, how: Convolution, shape: Sequence[int]) -> Array:
    """From few channels: the sum over the kernel's weights of a shifted image of one channel times the weight.

    `x` is `[n *space i]`, `kernel` `[*sides i o]`, and the result has `shape`: `[n *space o]`.
    """
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*sides, 0) for sides in how.padding), (0, 0, 0)])
    x = jax.lax.optimization_barrier(x)  # or XLA would recompute the images for each weight, their noise included
    window, strides, dilation = (1, *kernel.shape[:-2], 1), (1, *how.strides, 1), (1, *how.kernel_dilation, 1)
    seen = at_each_place(x, window, strides, dilation, (*shape[:-1], x.shape[-1]))
    weights = kernel.reshape(-1, kernel.shape[-2], *[1] * (x.ndim - 1), kernel.shape[-1])
    terms = (s[..., c, None] * w[c] for s, w in zip(seen, weights, strict=True) for c in range(x.shape[-1]))
    return reduce(jnp.add, terms)


def sum_of_places(x: Array, kernel: Array, how: Convolution, shape: Sequence[int]) -> Array:
    """To few channels: one matrix product with all weights, and the sum of its shifted parts, one per kernel position.

    `x` is `[n *space i]`, `kernel` `[*sides i o]`, and the result has `shape`: `[n *space o]`.
    """
    *sides, inputs, outputs = kernel.shape
    found = x @ kernel.reshape(-1, inputs, outputs).swapaxes(0, 1).reshape(inputs, -1)
    return reduce(jnp.add, _shifted(found.reshape(*x.shape[:-1], -1, outputs), sides, how, shape))


def _shifted(found: Array, sides: Sequence[int], how: Convolution, shape: Sequence[int]) -> Iterator[Array]:
    """The parts of `[n *space positions o]`, each shifted to where its kernel position contributes."""
    for i, place in enumerate(product(*map(range, sides))):
        config = [(0, 0, 0)]
        for axis, at in enumerate(place):
            low = how.padding[axis][0] - at * how.kernel_dilation[axis]
            reach = low + (found.shape[1 + axis] - 1) * how.image_dilation[axis] + 1
            config.append((low, shape[1 + axis] - reach, how.image_dilation[axis] - 1))
        yield jax.lax.pad(found[..., i, :], jnp.zeros((), found.dtype), [*config, (0, 0, 0)])


def columns_at_once(x: Array, kernel: Array, how: Convolution, shape: Sequence[int]) -> Array:
    """To a few channels: 2 or 4 neighboring columns computed as that many times the channels, by a wider kernel.

    `x` is `[n *space i]`, `kernel` `[*sides i o]`, and the result has `shape`: `[n *space o]`.
    """
    *sides, width, inputs, outputs = kernel.shape
    count = 4 if outputs <= FEW else 2
    beside = lambda i: [*[(0, 0)] * len(sides), (i, count - 1 - i), (0, 0), (0, 0)]
    wide = jnp.stack([jnp.pad(kernel, beside(i)) for i in range(count)], -2)
    steps = -(-shape[-2] // count)  # the last one may extend beyond the image
    left = how.padding[-1][0]
    right = steps * count + width - 1 - left - x.shape[-2]
    images, kernels = (0, x.ndim - 1, *range(1, x.ndim - 1)), (x.ndim - 1, x.ndim - 2, *range(x.ndim - 2))
    found = jax.lax.conv_general_dilated(
        x,
        wide.reshape(*wide.shape[:-2], count * outputs),
        (*how.strides[:-1], count),
        (*how.padding[:-1], (left, right)),
        dimension_numbers=jax.lax.ConvDimensionNumbers(images, kernels, images),
    )
    return found.reshape(*shape[:-2], steps * count, outputs)[..., : shape[-2], :]
