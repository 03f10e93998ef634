"""A sum over samples of each row, some of them in one compiled call."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from cnnviz.batching.chunks import (
    AHEAD,
    SAMPLED_ROWS,
    Calls,
    Chunk,
    Report,
    batch_size_or_default,
    chunk_count,
    chunks,
    first_rows,
    here,
    joined,
    parts_of,
    rows_per_chunk,
)
from cnnviz.batching.divided import division_of
from cnnviz.types import PyTree, Send


def map_samples(
    contribute: Callable[[PyTree, int, int], PyTree],
    finish: Callable[[PyTree, PyTree], PyTree],
    rows: PyTree,
    samples: int,
    batch_size: int | None = None,
    *,
    keep: bool = False,
    report: Report | None = None,
    send: Send | None = None,
) -> PyTree:
    """`finish(rows, total)` of all rows, where `total` is the contribution of each row's samples.

    `contribute(rows, first, size)` is the contribution of `size` samples from `first` on to each row: their sum, or
    with `keep` each of them along the second axis (`over_samples` computes both). A chunk is about `batch_size` pairs
    of a row and a sample: some samples of one row, or all samples of some rows. `send` is called with what computes a
    chunk (`fast.lanes`).
    """
    most = batch_size_or_default(batch_size, SAMPLED_ROWS)
    size = rows_per_chunk(samples, most)
    size = parts_of(samples, parts_of(samples, size))  # as many in the last chunk as in the others, or nearly
    across, firsts = max(1, most // size), range(0, samples, size)
    count = chunk_count(rows, across) * len(firsts)
    division, calls = division_of(rows), Calls(count, report, AHEAD if send else 1)

    def of_chunk(chunk: Chunk) -> PyTree:
        found: list[PyTree] = []
        for first in firsts:
            found.append(contribute(chunk.rows, first, size))
            found = found if keep else [_sum(found)]
            calls.done(found)
        total = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, 1)[:, :samples], *found) if keep else found[0]
        return first_rows(division, finish(chunk.rows, total), chunk.valid)

    return joined(division, [(send or here)(partial(of_chunk, chunk)) for chunk in chunks(rows, across)])


def _sum(parts: list[PyTree]) -> PyTree:
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]), *parts)
