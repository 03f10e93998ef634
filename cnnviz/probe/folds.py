"""A summary of layers over a whole data set, in one pass."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

from cnnviz.batching import chunks
from cnnviz.fast.jit import compiled
from cnnviz.probe.read import NOTHING, Call, in_order, values_of
from cnnviz.probe.trace import Static, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Array, Given, LayerNames, PyTree, Variables, VariablesLike


def fold(
    model: Any,
    variables: VariablesLike,
    images: Given,
    layers: LayerNames,
    init: PyTree,
    update: Callable[..., PyTree],
    merge: Callable[[PyTree, PyTree], PyTree] | None = None,
    *,
    rows: Sequence[Given] = (),
    batch_size: int | None = None,
    call: Call = NOTHING,
) -> PyTree:
    """A summary of the named layers over a whole data set, in one pass and with a state that does not grow.

    `init` is the state when nothing has been seen. `update(state, activations, mask, *rows)` is the state after one
    more chunk: `activations` hold a row an image, `mask` is False in the rows that are padding and must not count, and
    `rows` are the same rows of the arrays given as `rows` (labels, for instance). With `merge(state, state)` every
    local device folds chunks of its own and the states are merged; without it one device folds all. The layer "logits"
    is also the output before any softmax. Called again with the same functions, nothing recompiles.
    """
    variables = as_variables(variables)
    names = in_order(model, variables, images, layers, call)
    step = partial(_fold_chunk, Static(model), names, Static(call), Static(update))
    devices = jax.local_devices() if merge is not None else jax.local_devices()[:1]
    homes = (
        [jax.device_put((variables, init), device) for device in devices] if len(devices) > 1 else [(variables, init)]
    )
    states = [state for _, state in homes]
    for i, chunk in enumerate(chunks((images, *rows), batch_size)):
        at = i % len(devices)
        here = jax.device_put((chunk.rows, chunk.mask), devices[at]) if len(devices) > 1 else (chunk.rows, chunk.mask)
        states[at] = step(homes[at][0], states[at], *here)
    total, *others = states
    for state in others:
        total = merge(total, jax.device_put(state, devices[0])) if merge is not None else total
    return total


@partial(compiled, static_argnums=(0, 1, 2, 3))
def _fold_chunk(
    model: Static,
    names: tuple[str, ...],
    call: Static,
    update: Static,
    variables: Variables,
    state: PyTree,
    rows: tuple[Array, ...],
    mask: Array,
) -> PyTree:
    images, *others = rows
    found = values_of(trace(model.value, variables, images, call.value), variables, images, names)
    return update.value(state, dict(zip(names, found, strict=True)), mask, *others)
