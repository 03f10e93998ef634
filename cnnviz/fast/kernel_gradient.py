"""A convolution whose kernel's gradient is summed over a few images at a time, which saves a tenth of a step on CPU."""

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from cnnviz.fast.convolutions import fast_form
from cnnviz.graph import Node
from cnnviz.types import Array

SMALLEST, MOST_CHUNKS = 16, 16  # images in a chunk, at least; chunks, at most


def in_chunks(node: Node) -> Callable[[Array, Array], Array]:
    """The node as a function of images and kernel, whose derivative by the kernel is computed in chunks of images."""
    plain = lambda x, kernel: node.apply(x, kernel)[0]
    convolve, size = jax.custom_jvp(fast_form(node) or plain), _chunk(node)

    @partial(convolve.defjvp, symbolic_zeros=True)
    def derivative(primals: Sequence[Array], tangents: Sequence[Any]) -> tuple[Array, Array]:
        (x, kernel), (dx, dkernel) = primals, tangents
        terms = [] if isinstance(dx, SymbolicZero) else [plain(dx, kernel)]
        if not isinstance(dkernel, SymbolicZero):
            starts = range(0, len(x), size)
            terms.append(jnp.concatenate([plain(x[start : start + size], dkernel) for start in starts]))
        return convolve(x, kernel), reduce(jnp.add, terms)

    return convolve


def _chunk(node: Node) -> int:
    """The number of images in a chunk; all of them if the images are not on the first axis."""
    layout, count = node.params["dimension_numbers"], node.inputs[0].shape[0]
    first = layout.lhs_spec[0] == layout.out_spec[0] == 0 and node.params["batch_group_count"] == 1
    return max(SMALLEST, math.ceil(count / MOST_CHUNKS)) if first else count
