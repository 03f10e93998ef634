"""Convolutions from or to few channels in the forms that are fast on CPU, where a matrix product of such is not.

They are for what is not differentiated any more: the derivative of a form is not the fast form of the derivative.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.fast.pooling import at_each_place
from cnnviz.graph import Node
from cnnviz.types import Array

FEW_IMAGES = 8  # of which nothing is gained where channels become more; what many read, XLA would sum for each of them
MOST_TERMS = 36  # of a sum of shifted images, which reads as many
UNEVEN_TERMS = 12  # of one into channels that fill no vector: XLA's tanh of a longer one takes 8 times as long
FEW, SOME = 8, 16  # channels, of which a convolution gives 4 columns or 2 at once


class Convolution(NamedTuple):
    """How a kernel goes over images `[n *space c]`: for each axis of space its step, padding, and what lies between."""

    strides: Sequence[int]
    padding: Sequence[tuple[int, int]]
    between: Sequence[int]  # the images' values are so far apart, with zeros between them
    apart: Sequence[int]  # and the kernel's


def fast_form(node: Node) -> Callable[[Array, Array], Array] | None:
    """The convolution of images and kernel in the form that is faster than the primitive; None where there is none."""
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
    usual = lambda kernel: kernel.transpose(*axes, inputs, outputs)
    return form and (lambda x, kernel: form(x, usual(kernel), how, node.outputs[0].shape))


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
    """Of few channels: the sum of what each of the kernel's weights adds, one shifted image of one channel."""
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*sides, 0) for sides in how.padding), (0, 0, 0)])
    x = jax.lax.optimization_barrier(x)  # or XLA computes images anew for each weight, where they are drawn as well
    window, strides, apart = (1, *kernel.shape[:-2], 1), (1, *how.strides, 1), (1, *how.apart, 1)
    seen = at_each_place(x, window, strides, apart, (*shape[:-1], x.shape[-1]))
    weights = kernel.reshape(-1, *kernel.shape[-2:])
    terms = (s[..., c, None] * w[c] for s, w in zip(seen, weights, strict=True) for c in range(x.shape[-1]))
    return reduce(jnp.add, terms)


def sum_of_places(x: Array, kernel: Array, how: Convolution, shape: Sequence[int]) -> Array:
    """To few channels: one product with all weights, and the sum of what it gives for each place, moved there."""
    *sides, inputs, outputs = kernel.shape
    found = x @ kernel.reshape(-1, inputs, outputs).swapaxes(0, 1).reshape(inputs, -1)
    return reduce(jnp.add, _moved(found.reshape(*x.shape[:-1], -1, outputs), sides, how, shape))


def _moved(found: Array, sides: Sequence[int], how: Convolution, shape: Sequence[int]) -> Iterator[Array]:
    for i, place in enumerate(product(*map(range, sides))):
        config = [(0, 0, 0)]
        for axis, at in enumerate(place):
            low = how.padding[axis][0] - at * how.apart[axis]
            reach = low + (found.shape[1 + axis] - 1) * how.between[axis] + 1
            config.append((low, shape[1 + axis] - reach, how.between[axis] - 1))
        yield jax.lax.pad(found[..., i, :], jnp.zeros((), found.dtype), [*config, (0, 0, 0)])


def columns_at_once(x: Array, kernel: Array, how: Convolution, shape: Sequence[int]) -> Array:
    """To a few channels: neighboring columns as so many times the channels, from a kernel that is as much wider."""
    *sides, width, inputs, outputs = kernel.shape
    count = 4 if outputs <= FEW else 2
    beside = lambda i: [*[(0, 0)] * len(sides), (i, count - 1 - i), (0, 0), (0, 0)]
    wide = jnp.stack([jnp.pad(kernel, beside(i)) for i in range(count)], -2)
    steps = -(-shape[-2] // count)  # the last one may reach beyond the image
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
