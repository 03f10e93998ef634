"""Pooling and convolutions in the forms that are fast on CPU: as slices, one for each place of their window."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from cnnviz.graph import Node
from cnnviz.types import Array

LARGEST_WINDOW = 16  # places; a maximum over many slices reads the image as many times
LARGEST_KERNEL = 25  # places in a kernel over one channel, for the same reason
FEW, MOST_CHUNKS = 16, 16  # images in a chunk of a kernel's gradient, at least; chunks, at most


def _chunk(node: Node) -> int:
    """Images in a chunk of the kernel's gradient; all of them where the images are not on the first axis."""
    layout, count = node.params["dimension_numbers"], node.inputs[0].shape[0]
    first = layout.lhs_spec[0] == layout.out_spec[0] == 0 and node.params["batch_group_count"] == 1
    return max(FEW, math.ceil(count / MOST_CHUNKS)) if first else count


def in_chunks(node: Node) -> Callable[[Array, Array], Array]:
    """The convolution, its derivative with respect to the kernel a chunk of images after the other."""
    plain = lambda x, kernel: node.apply(x, kernel)[0]
    return _convolution(partial(_sum_of_shifts, node) if has_one_channel(node) else plain, plain, _chunk(node))


def of_one_channel(node: Node) -> Callable[[Array, Array], Array]:
    """The convolution as a sum of shifted images times weights, its derivative as a product of patches and kernels."""
    return _convolution(partial(_sum_of_shifts, node), partial(_product_of_patches, node), node.inputs[0].shape[0])


def _convolution(
    value: Callable[[Array, Array], Array], linear: Callable[[Array, Array], Array], size: int
) -> Callable[[Array, Array], Array]:
    """A convolution evaluated as `value` and differentiated as `linear`, for the kernel `size` images at once."""
    convolve = jax.custom_jvp(value)

    @partial(convolve.defjvp, symbolic_zeros=True)
    def derivative(primals: Sequence[Array], tangents: Sequence[Any]) -> tuple[Array, Array]:
        (x, kernel), (dx, dkernel) = primals, tangents
        terms = [] if isinstance(dx, SymbolicZero) else [linear(dx, kernel)]
        if not isinstance(dkernel, SymbolicZero):
            starts = range(0, len(x), size)
            terms.append(jnp.concatenate([linear(x[start : start + size], dkernel) for start in starts]))
        return convolve(x, kernel), reduce(jnp.add, terms)

    return convolve


def has_one_channel(node: Node) -> bool:
    """Whether the node convolves images of one channel, last, with a small kernel, in numbers of 32 bits or 64."""
    params, (x, kernel) = node.params, node.inputs
    last, layout = len(x.shape) - 1, params["dimension_numbers"]
    images, kernels = (0, last, *range(1, last)), (last, last - 1, *range(last - 1))
    usual = layout.lhs_spec == layout.out_spec == images and layout.rhs_spec == kernels
    alike = x.dtype == kernel.dtype == node.outputs[0].dtype and x.dtype in (jnp.float32, jnp.float64)
    small = x.shape[last] == kernel.shape[-2] == 1 and math.prod(kernel.shape[:-2]) <= LARGEST_KERNEL
    return usual and alike and small and params["batch_group_count"] == 1 and set(params["lhs_dilation"]) <= {1}


def _shifts(x: Array, kernel: Array, node: Node) -> Iterator[Array]:
    """The pixels that each place of the kernel sees, `[n *space 1]`."""
    params, space = node.params, node.outputs[0].shape[1:-1]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*sides, 0) for sides in params["padding"]), (0, 0, 0)])
    strides, dilation = (1, *params["window_strides"], 1), (1, *params["rhs_dilation"], 1)
    return _at_each_place(x, (1, *kernel.shape[:-2], 1), strides, dilation, (len(x), *space, 1))


def _sum_of_shifts(node: Node, x: Array, kernel: Array) -> Array:
    """The convolution of one channel as the sum of what its kernel's places add: its value at once."""
    weights = kernel.reshape(-1, kernel.shape[-1])
    return reduce(jnp.add, (seen * weight for seen, weight in zip(_shifts(x, kernel, node), weights, strict=True)))


def _product_of_patches(node: Node, x: Array, kernel: Array) -> Array:
    """The convolution of one channel as a product of patches and kernels, whose transposed product is a fast one."""
    return jnp.concatenate([*_shifts(x, kernel, node)], -1) @ kernel.reshape(-1, kernel.shape[-1])


def is_small(node: Node) -> bool:
    """Whether the window is small, and nothing is inserted between the values that it goes over."""
    return math.prod(node.params["window_dimensions"]) <= LARGEST_WINDOW and set(node.params["base_dilation"]) == {1}


def max_of_slices(x: Array, node: Node) -> Array:
    """The maximum in each window; of equal ones the first has all the derivative, as in the primitive."""
    params = node.params
    low = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    x = jax.lax.pad(x, jnp.asarray(low, x.dtype), [(*sides, 0) for sides in params["padding"]])
    seen, *others = _at_each_place(
        x, params["window_dimensions"], params["window_strides"], params["window_dilation"], node.outputs[0].shape
    )
    return reduce(lambda best, seen: jnp.where((seen > best) | (seen != seen), seen, best), others, seen)  # a NaN stays


def _at_each_place(
    x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int], shape: Sequence[int]
) -> Iterator[Array]:
    """What a window that goes over `x` sees at each of its places: slices of the shape of the output."""
    ahead = [(n - 1) * stride + 1 for n, stride in zip(shape, strides, strict=True)]
    for place in product(*map(range, window)):
        start = [at * step for at, step in zip(place, dilation, strict=True)]
        yield jax.lax.slice(x, start, [s + length for s, length in zip(start, ahead, strict=True)], strides)
