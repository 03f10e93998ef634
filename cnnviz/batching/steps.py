"""Steps that each row goes through: one per compiled call on CPU, all in one call elsewhere."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.batching.chunks import (
    SAMPLED_ROWS,
    Calls,
    Report,
    batch_size_or_default,
    chunk_count,
    chunks,
    first_rows,
    joined,
    of_backend,
)
from cnnviz.batching.divided import division_of
from cnnviz.types import PyTree


def map_steps(
    init: Callable[[PyTree], PyTree],
    step: Callable[[PyTree, PyTree, int, int], PyTree],
    finish: Callable[[PyTree, PyTree], PyTree],
    rows: PyTree,
    steps: int,
    batch_size: int | None = None,
    *,
    report: Report | None = None,
) -> PyTree:
    """`finish(rows, state)` of all rows, after `steps` steps from `init(rows)`.

    `step(rows, state, first, count)` is a compiled call: the state after the `count` steps from number `first` on, as
    `take_steps` computes it. `count` is 1 on CPU and `steps` elsewhere.
    """
    size, count = batch_size_or_default(batch_size, SAMPLED_ROWS), 1 if is_in_turn() else steps
    division, parts = division_of(rows), []
    calls = Calls(chunk_count(rows, size) * (steps // count), report)
    for chunk in chunks(rows, size):
        state = init(chunk.rows)
        for first in range(0, steps, count):
            state = step(chunk.rows, state, first, count)
            calls.done(state)
        parts.append(first_rows(division, finish(chunk.rows, state), chunk.valid))
    return joined(division, parts)


def is_in_turn() -> bool:
    """Whether each step is a compiled call of its own, as on CPU; elsewhere many steps are one call.

    On CPU a convolution in `lax.scan` is 20 to 70 times slower; an accelerator would be idle between calls.
    """
    return of_backend(True, False)


def take_steps(step: Callable[[PyTree, Any], PyTree], state: PyTree, first: Any, count: int) -> PyTree:
    """The state after `state = step(state, i)` for `count` numbers i from `first` on, inside a compiled call.

    The step keeps the shapes and types of the state.
    """
    if count == 1:
        return step(state, first)
    return jax.lax.scan(lambda state, i: (step(state, i), None), state, first + jnp.arange(count))[0]
