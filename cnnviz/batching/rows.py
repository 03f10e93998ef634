"""A function of each row, and a summary of all rows: one pass over a data set."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from cnnviz.batching.chunks import AHEAD, Calls, Chunk, Report, chunk_count, chunks, first_rows, here, joined
from cnnviz.batching.divided import Division, division_of
from cnnviz.types import PyTree, Send


def map_rows(
    function: Callable[[PyTree], PyTree],
    rows: PyTree,
    batch_size: int | None = None,
    *,
    report: Report | None = None,
    send: Send | None = None,
) -> PyTree:
    """`function` of all rows, computed in chunks: each output leaf has one row per input row, divided as those are.

    `send` is called with what computes a chunk (`fast.lanes`).
    """
    division, calls, parts = division_of(rows), Calls(chunk_count(rows, batch_size), report, AHEAD if send else 1), []
    for chunk in chunks(rows, batch_size):
        parts.append((send or here)(lambda chunk=chunk: first_rows(division, function(chunk.rows), chunk.valid)))
        calls.done(parts[-1])
    return joined(division, parts)


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
    device folds them all. Rows that are divided among devices are folded where they are.
    """
    division = division_of(rows)
    devices, dealt = _dealt(division, rows, batch_size, multiple, merge is not None)
    several = len(devices) > 1 or division.given is not None
    put = lambda tree, device: jax.device_put(tree, device) if several else tree
    copies, states = [put(held, device) for device in devices], [put(init, device) for device in devices]
    calls = Calls(division.blocks * chunk_count(rows, batch_size, multiple), report, len(devices))
    for at, chunk in dealt:
        states[at] = step(copies[at], states[at], *put((chunk.rows, chunk.mask), devices[at]))
        calls.done(states[at])
    total, *others = states
    for state in others:
        total = merge(total, put(state, devices[0])) if merge is not None else total
    return total


def _dealt(
    division: Division, rows: PyTree, batch_size: int | None, multiple: int, share: bool
) -> tuple[list[Any], Iterator[tuple[int, Chunk]]]:
    """The devices that fold, several if they `share`, and each chunk with the place of its device among them."""
    if division.given is None:
        devices = jax.local_devices() if share else jax.local_devices()[:1]
        in_turn = enumerate(chunks(rows, batch_size, multiple=multiple))
        return devices, ((i % len(devices), chunk) for i, chunk in in_turn)
    blocks = division.apart(rows)
    each = [chunks(block, batch_size, multiple=multiple) for _, block in blocks]
    if share:
        return [device for device, _ in blocks], (at for same in zip(*each, strict=True) for at in enumerate(same))
    return [blocks[0][0]], ((0, chunk) for of_block in each for chunk in of_block)
