"""A function of each row, and a summary of all rows: one pass over a data set."""

from collections.abc import Callable

import jax
import numpy as np

from cnnviz.batching.chunks import Calls, Report, chunk_count, chunks, first_rows, joined
from cnnviz.types import PyTree


def map_rows(
    function: Callable[[PyTree], PyTree], rows: PyTree, batch_size: int | None = None, *, report: Report | None = None
) -> PyTree:
    """`function` of all rows, computed in chunks: each output leaf has one row per input row."""
    calls, parts = Calls(chunk_count(rows, batch_size), report), []
    for chunk in chunks(rows, batch_size):
        parts.append(first_rows(function(chunk.rows), chunk.valid))
        calls.done(parts[-1])
    return joined(parts)


def fold_rows(
    step: Callable[[PyTree, PyTree, PyTree, np.ndarray], PyTree],
    held: PyTree,
    init: PyTree,
    rows: PyTree,
    merge: Callable[[PyTree, PyTree], PyTree] | None = None,
    batch_size: int | None = None,
    *,
    multiple: int = 1,
    report: Report | None = None,
) -> PyTree:
    """A summary of all rows: `state = step(held, state, rows, mask)` for each chunk, from `init`.

    `held` is the same for all chunks (variables); `mask` `[rows]` is False for padding, which must not count. With
    `merge(state, state)` every local device folds its share of the chunks and the states are merged; without it one
    device folds them all.
    """
    devices = jax.local_devices() if merge is not None else jax.local_devices()[:1]
    put = lambda tree, device: jax.device_put(tree, device) if len(devices) > 1 else tree
    copies, states = [put(held, device) for device in devices], [put(init, device) for device in devices]
    calls = Calls(chunk_count(rows, batch_size, multiple), report, len(devices))
    for i, chunk in enumerate(chunks(rows, batch_size, multiple=multiple)):
        at = i % len(devices)
        states[at] = step(copies[at], states[at], *put((chunk.rows, chunk.mask), devices[at]))
        calls.done(states[at])
    total, *others = states
    for state in others:
        total = merge(total, put(state, devices[0])) if merge is not None else total
    return total
