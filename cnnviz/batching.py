"""The one driver that chunks work: rows in, compiled chunks of one size, the last one padded and masked.

On CPU the chunks are a Python loop over one compiled call: a convolution inside `lax.scan` or `lax.map` is 20 to 70
times slower there.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError
from cnnviz.types import Array, PyTree

FORWARD_ROWS = 256  # rows of a forward pass in one chunk, where the caller names no batch size


class Chunk(NamedTuple):
    """`rows` of one size for all chunks; `mask` is False at padding; `start` and `stop` say which rows these are."""

    rows: PyTree
    mask: Array
    start: int
    stop: int


def chunks(rows: PyTree, batch_size: int | None = None) -> Iterator[Chunk]:
    """The rows (the first axis of every leaf), `batch_size` at a time; the last chunk is padded by its last row."""
    count = row_count(rows)
    size = rows_a_chunk(count, batch_size)
    for start in range(0, count, size):
        stop = min(start + size, count)
        yield Chunk(_rows(rows, start, stop, size), jnp.arange(size) < stop - start, start, stop)


def row_count(rows: PyTree) -> int:
    """How many rows there are; leaves that disagree are an InputError."""
    counts = {leaf.shape[0] for leaf in jax.tree.leaves(rows)}
    if len(counts) != 1:
        raise InputError(f"All arrays need as many rows; these have {', '.join(map(str, sorted(counts)))}.")
    if counts == {0}:
        raise InputError("There are no images; at least one is needed.")
    return counts.pop()


def rows_a_chunk(count: int, batch_size: int | None) -> int:
    if batch_size is not None and batch_size < 1:
        raise InputError(f"A batch has at least one row; batch_size was {batch_size}.")
    return max(1, min(count, batch_size or FORWARD_ROWS))


def map_rows(function: Callable[[PyTree], PyTree], rows: PyTree, batch_size: int | None = None) -> PyTree:
    """`function` of all rows, computed in chunks: each leaf of what it gives has a row a row."""
    parts = [_rows(function(chunk.rows), 0, chunk.stop - chunk.start) for chunk in chunks(rows, batch_size)]
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _rows(rows: PyTree, start: int, stop: int, size: int = 0) -> PyTree:
    """Rows `start` to `stop`, the last one repeated until there are `size`."""
    return jax.tree.map(lambda leaf: _padded(leaf[start:stop], size), rows)


def _padded(leaf: Any, size: int) -> Any:
    missing = size - leaf.shape[0]
    if missing <= 0:
        return leaf
    array = jnp if isinstance(leaf, jax.Array) else np
    return array.concatenate([leaf, array.repeat(leaf[-1:], missing, axis=0)])
