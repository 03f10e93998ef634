"""Where in an image a channel has its largest value."""

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from cnnviz.batching import Report, map_rows
from cnnviz.fast.jit import compiled
from cnnviz.probe import NOTHING, Call, Rows
from cnnviz.probe.inputs import Inputs, Prepare
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.reader import Reader, Request
from cnnviz.types import Array, PyTree, Variables, VariablesLike


def places_of(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    chosen: Mapping[str, Int[np.ndarray, "k c"]],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> dict[str, Int[np.ndarray, "k c sides"]]:
    """The index of the largest value of each channel's map in its chosen images, the first of several.

    `chosen` has for each layer the numbers of k images for each of its channels.
    """
    sides = {name: shapes[name][:-1] for name in chosen}
    found = {name: np.zeros((*rows.shape, len(sides[name])), np.int64) for name, rows in chosen.items()}
    mapped = [name for name in chosen if prod(sides[name]) > 1]
    if not mapped:
        return found
    numbers = np.unique(np.concatenate([chosen[name].ravel() for name in mapped]))
    taken = jax.tree.map(lambda leaf: np.asarray(leaf)[numbers], images)
    reader = Reader(model, variables, mapped, prepare=prepare, call=rows_of(call, numbers), output=output)
    request, variables, inputs = reader.request(taken)
    size = reader.batch_size(taken, batch_size)
    flat = map_rows(partial(_largest, request, variables), inputs, size, report=report)
    for name, each in zip(request.names, flat, strict=True):
        rows = np.searchsorted(numbers, chosen[name])
        at = np.take_along_axis(np.asarray(each), rows, axis=0)
        found[name] = np.stack(np.unravel_index(at, sides[name]), axis=-1)
    return found


@partial(compiled, static_argnums=0)
def _largest(request: Request, variables: Variables, inputs: Inputs) -> list[Array]:
    """For each layer the flat index of each channel's largest value `[n, c]`."""
    values = request.values(variables, inputs).values()
    return [jnp.argmax(x.reshape(x.shape[0], -1, x.shape[-1]), axis=1) for x in values]


def rows_of(call: Call, numbers: np.ndarray) -> Call:
    """The arguments of the call with those rows of what has one row per image."""
    pick = lambda leaf: np.asarray(leaf)[numbers]
    chosen = lambda value: Rows(jax.tree.map(pick, value.array)) if isinstance(value, Rows) else value
    return {name: chosen(value) for name, value in call.items()}
