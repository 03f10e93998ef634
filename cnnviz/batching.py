"""The one driver that chunks work: rows in, compiled chunks of one size, the last one padded and masked.

Work comes in three shapes: a function of each row (`map_rows`), a sum over samples of each row (`map_samples`), and
steps that each row goes through (`map_steps`). On CPU the chunks are a Python loop over one compiled call: a
convolution inside `lax.scan` or `lax.map` is 20 to 70 times slower there.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError
from cnnviz.types import PyTree

# Rows in one chunk, on CPU and elsewhere, where the caller names no batch size: images; pairs of an image and a sample.
# On CPU more are slower: they leave the caches, and above 32 MB malloc gets memory from the system anew in each call.
IMAGE_ROWS, SAMPLED_ROWS = (64, 256), (128, 1024)

Report = Callable[[int, int], None]  # called after a chunk with the chunks that are done and their number


class Chunk(NamedTuple):
    """`rows` of one size for all chunks; `mask` is False at padding; `start` and `stop` say which rows these are."""

    rows: PyTree
    mask: np.ndarray
    start: int
    stop: int


def chunks(rows: PyTree, batch_size: int | None = None) -> Iterator[Chunk]:
    """The rows (the first axis of every leaf), `batch_size` at a time; the last chunk is padded by its last row."""
    count = row_count(rows)
    size = rows_a_chunk(count, batch_size)
    for start in range(0, count, size):
        stop = min(start + size, count)
        yield Chunk(_rows(rows, start, stop, size), np.arange(size) < stop - start, start, stop)


def row_count(rows: PyTree) -> int:
    """How many rows there are; leaves that disagree are an InputError."""
    counts = {leaf.shape[0] for leaf in jax.tree.leaves(rows)}
    if len(counts) != 1:
        raise InputError(f"All arrays need as many rows; these have {', '.join(map(str, sorted(counts)))}.")
    if counts == {0}:
        raise InputError("There are no images; at least one is needed.")
    return counts.pop()


def rows_a_chunk(count: int, batch_size: int | None) -> int:
    return max(1, min(count, batch_size_or_default(batch_size, IMAGE_ROWS)))


def map_rows(function: Callable[[PyTree], PyTree], rows: PyTree, batch_size: int | None = None) -> PyTree:
    """`function` of all rows, computed in chunks: each leaf of what it gives has a row a row."""
    return _joined([_rows(function(chunk.rows), 0, chunk.stop - chunk.start) for chunk in chunks(rows, batch_size)])


def map_samples(
    contribute: Callable[[PyTree, int, int], PyTree],
    finish: Callable[[PyTree, PyTree], PyTree],
    rows: PyTree,
    samples: int,
    batch_size: int | None = None,
    *,
    keep: bool = False,
    report: Report | None = None,
) -> PyTree:
    """`finish(rows, total)` of all rows, where `total` is what their samples contribute.

    `contribute(rows, first, size)` is what the samples from `first` on, `size` at a time, contribute to each row: their
    sum, or with `keep` every one of them along the second axis (`over_samples` makes both). A chunk is about
    `batch_size` pairs of a row and a sample: some samples of one row, or all samples of some rows.
    """
    most = batch_size_or_default(batch_size, SAMPLED_ROWS)
    size = rows_a_chunk(samples, most)
    size = -(-samples // -(-samples // size))  # as many in the last chunk as in the others, or nearly
    across, firsts = max(1, most // size), range(0, samples, size)
    steps, parts = _Steps(-(-row_count(rows) // across) * len(firsts), report), []
    for chunk in chunks(rows, across):
        found: list[PyTree] = []
        for first in firsts:
            found.append(contribute(chunk.rows, first, size))
            found = found if keep else [_sum(found)]
            steps.done(found)
        total = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, 1)[:, :samples], *found) if keep else found[0]
        parts.append(_rows(finish(chunk.rows, total), 0, chunk.stop - chunk.start))
    return _joined(parts)


def map_steps(
    init: Callable[[PyTree], PyTree],
    step: Callable[[PyTree, PyTree, int], PyTree],
    finish: Callable[[PyTree, PyTree], PyTree],
    rows: PyTree,
    steps: int,
    batch_size: int | None = None,
    *,
    report: Report | None = None,
) -> PyTree:
    """`finish(rows, state)` of all rows, after `state = step(rows, state, i)` for each i, from `init(rows)`."""
    size = rows_a_chunk(row_count(rows), batch_size_or_default(batch_size, SAMPLED_ROWS))
    parts: list[PyTree] = []
    taken = _Steps(-(-row_count(rows) // size) * steps, report)
    for chunk in chunks(rows, size):
        state = init(chunk.rows)
        for i in range(steps):
            state = step(chunk.rows, state, i)
            taken.done(state)
        parts.append(_rows(finish(chunk.rows, state), 0, chunk.stop - chunk.start))
    return _joined(parts)


def batch_size_or_default(batch_size: int | None, usual: tuple[int, int]) -> int:
    """`batch_size`, or where the caller names none the usual rows of a chunk, on CPU the first number."""
    if batch_size is None:
        return usual[0 if jax.default_backend() == "cpu" else 1]
    if batch_size < 1:
        raise InputError(f"A batch has at least one row; batch_size was {batch_size}.")
    return batch_size


class _Steps:
    """Counts compiled calls, and tells a report of each when it is computed."""

    def __init__(self, total: int, report: Report | None):
        self.count, self.total, self.report = 0, total, report

    def done(self, computed: PyTree) -> None:
        self.count += 1
        if self.report is not None:
            jax.block_until_ready(computed)
            self.report(self.count, self.total)


def _sum(parts: list[PyTree]) -> PyTree:
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]), *parts)


def _joined(parts: list[PyTree]) -> PyTree:
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _rows(rows: PyTree, start: int, stop: int, size: int = 0) -> PyTree:
    """Rows `start` to `stop`, the last one repeated until there are `size`."""
    part = lambda leaf: leaf if stop - start == leaf.shape[0] else leaf[start:stop]  # a slice of all is a copy in JAX
    return jax.tree.map(lambda leaf: _padded(part(leaf), size), rows)


def _padded(leaf: Any, size: int) -> Any:
    missing = size - leaf.shape[0]
    if missing <= 0:
        return leaf
    array = jnp if isinstance(leaf, jax.Array) else np
    return array.concatenate([leaf, array.repeat(leaf[-1:], missing, axis=0)])
