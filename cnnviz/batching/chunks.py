"""Chunks of rows, all of one size so that one compiled call serves them all; the last one is padded and masked."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.batching.divided import Division, division_of
from cnnviz.errors import InputError, memory
from cnnviz.types import PyTree

# Rows per chunk, on CPU and elsewhere, if the caller gives no batch size: images; pairs of an image and a sample.
# On CPU more are slower: they exceed the caches, and malloc returns blocks above 32 MB to the system after each call.
# Elsewhere a call takes half a millisecond of this process, in which an H100 computes the logits of a thousand images.
IMAGE_ROWS, SAMPLED_ROWS = (64, 1024), (128, 1024)
WINDOW_ROWS = (256, 1024)  # pairs of an image and a window, of which only what the window reaches is computed
# Bytes of what a chunk computes, on CPU and elsewhere: large rows make smaller chunks. A chunk has at least one row.
MOST_BYTES, SHARE = (2**30, 2**33), 1 / 8  # and at most this share of the device's memory

# Called as report(done, total) after each compiled call of `total`; what goes through several parts of some work also
# says which one it is at, report(done, total, "smooth_grad").
Report = Callable[..., None]
Amount = TypeVar("Amount")
AHEAD = 4  # calls that are not waited for if they are sent from several threads


def part(report: Report | None, place: int, count: int, name: str = "", size: int = 1) -> Report | None:
    """A report for one of `count` equal parts of the work, whose name stands before what is reported in it.

    With `size` it is for as many parts, the first of which is at `place`.
    """
    if report is None:
        return None

    def report_part(done: int, total: int, what: str = "") -> None:
        report(place * total + size * done, count * total, ", ".join(filter(None, (name, what))))

    if name:
        report_part(0, 1)
    return report_part


class Chunk(NamedTuple):
    """Rows of which the first `valid` are data and the rest is padding, where `mask` `[size]` is False."""

    rows: PyTree
    mask: np.ndarray
    valid: int


def chunks(rows: PyTree, batch_size: int | None = None, *, multiple: int = 1) -> Iterator[Chunk]:
    """The rows (the first axis of every leaf), `batch_size` at a time; the last chunk is padded by its last row.

    The size of a chunk is rounded up to a multiple of `multiple`, for devices that share it evenly. Of rows that are
    divided among devices, a chunk has so many of each block.
    """
    total, division = row_count(rows), division_of(rows)
    size, rows = rows_per_chunk(total, batch_size, multiple), division.place(rows)
    for start in range(0, total, size):
        valid = min(size, total - start)
        mask = np.tile(np.arange(size) < valid, division.blocks)
        yield Chunk(_rows(division, rows, start, start + valid, size), mask, valid)


def row_count(rows: PyTree) -> int:
    """The number of rows, of each block if they are divided. Raises InputError if leaves disagree or there are none."""
    counts = {leaf.shape[0] for leaf in jax.tree.leaves(rows)}
    if len(counts) != 1:
        raise InputError(f"All arrays need the same number of rows; these have {', '.join(map(str, sorted(counts)))}.")
    if counts == {0}:
        raise InputError("No images were given; at least one is needed.")
    return counts.pop() // division_of(rows).blocks


def rows_per_chunk(count: int, batch_size: int | None, multiple: int = 1) -> int:
    """The size of a chunk of `count` rows: the batch size or all rows, rounded up to a multiple of `multiple`."""
    size = min(count, batch_size_or_default(batch_size, IMAGE_ROWS))
    return parts_of(size, multiple) * multiple


def chunk_count(rows: PyTree, batch_size: int | None, multiple: int = 1) -> int:
    """The number of chunks that `chunks` makes of the rows."""
    count = row_count(rows)
    return parts_of(count, rows_per_chunk(count, batch_size, multiple))


def of_backend(on_cpu: Amount, elsewhere: Amount) -> Amount:
    """The amount for JAX's default backend."""
    return on_cpu if jax.default_backend() == "cpu" else elsewhere


def batch_size_or_default(batch_size: int | None, usual: tuple[int, int], row_bytes: int = 0) -> int:
    """`batch_size`, or if it is None the first of `usual` on CPU and the second elsewhere.

    If one row computes `row_bytes` of values, there are fewer rows where as many would exceed MOST_BYTES.
    """
    if batch_size is None:
        rows = of_backend(*usual)
        if not row_bytes:
            return rows
        most = int(min(of_backend(*MOST_BYTES), SHARE * memory.of_device(jax.local_devices()[0])))
        return max(1, min(rows, most // row_bytes))
    if batch_size < 1:
        raise InputError(f"A batch has at least one row; batch_size was {batch_size}.")
    return batch_size


def here(call: Callable[[], Any]) -> Any:
    """The `Send` that calls the function right here."""
    return call()


class Calls:
    """Counts compiled calls and reports each when it is computed; all but the last `at_once` of them are waited for."""

    def __init__(self, total: int, report: Report | None, at_once: int = 1):
        self.count, self.total, self.report, self.at_once = 0, total, report, at_once
        self.waiting: deque[PyTree] = deque()

    def done(self, computed: PyTree) -> None:
        """Counts the call that gives these arrays, which may still be under way."""
        if self.report is None:
            return
        self.count += 1
        self.waiting.append(computed)
        while len(self.waiting) >= self.at_once or (self.waiting and self.count == self.total):
            jax.block_until_ready(self.waiting.popleft())
            self.report(self.count - len(self.waiting), self.total)


def parts_of(count: int, size: int) -> int:
    """The number of parts of this size, of which the last may not be full."""
    return -(-count // size)


def first_rows(division: Division, rows: PyTree, count: int) -> PyTree:
    """The first `count` rows of every leaf, of each block: a chunk's results without those of its padding."""
    return _rows(division, rows, 0, count)


def joined(division: Division, parts: list[PyTree]) -> PyTree:
    """The rows of all parts, in their order and divided as they were given."""
    whole = parts[0] if len(parts) == 1 else division.by_block(lambda *leaves: jnp.concatenate(leaves), *parts)
    return division.back(whole)


def _rows(division: Division, rows: PyTree, start: int, stop: int, size: int = 0) -> PyTree:
    """Rows `start` to `stop`; the last is repeated to make `size`."""
    part = lambda leaf: leaf if stop - start == leaf.shape[0] else leaf[start:stop]  # a slice of all is a copy in JAX
    return division.by_block(lambda leaf: _padded(part(leaf), size), rows)


def _padded(leaf: Any, size: int) -> Any:
    missing = size - leaf.shape[0]
    if missing <= 0:
        return leaf
    array = jnp if isinstance(leaf, jax.Array) else np
    return array.concatenate([leaf, array.repeat(leaf[-1:], missing, axis=0)])
