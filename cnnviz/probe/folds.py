"""A summary of layers over a data set in one pass, of one network or of several on the same images."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.batching import Report, beside, fold_rows, map_rows
from cnnviz.errors import InputTypeError
from cnnviz.fast.jit import compiled
from cnnviz.probe.inputs import Inputs, Prepare
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.reader import NOTHING, Call, Reader, Request
from cnnviz.probe.trace import Static
from cnnviz.types import Array, Given, LayerNames, PyTree, Variables, VariablesLike

Update = Callable[..., PyTree]
Merge = Callable[[PyTree, PyTree], PyTree] | None


def fold(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layers: LayerNames,
    init: PyTree,
    update: Update,
    merge: Merge = None,
    *,
    prepare: Prepare = None,
    rows: Sequence[Given] = (),
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> PyTree:
    """A summary of the named layers over a data set, in one pass and with a state that does not grow.

    `init` is the state before any image. `update(state, activations, mask, *rows)` is the state after one more chunk:
    `activations` have one row per image, `mask` `[n]` is False for padding, which must not count, and `rows` are the
    same rows of the arrays given as `rows` (labels, for instance). With `merge(state, state)` every local device folds
    its share of the chunks and the states are merged; without it one device folds all. With `prepare` the images may be
    uint8, and only one chunk at a time is floats. `report(done, total)` counts chunks. Called again with the same
    functions, nothing recompiles.
    """
    reader = Reader(model, variables, layers, prepare=prepare, call=call, output=output)
    return fold_readers(reader, images, init, update, merge, rows=rows, batch_size=batch_size, report=report)


def fold_readers(
    readers: Any,
    images: PyTree,
    init: PyTree,
    update: Update,
    merge: Merge = None,
    *,
    rows: Sequence[Given] = (),
    batch_size: int | None = None,
    report: Report | None = None,
) -> PyTree:
    """As `fold`, for several networks that see the same chunk of images: `readers` are a mapping or a list of `Reader`.

    `update` gets activations in the same form: by the reader's name in a mapping, by its place in a list.
    """
    each, form = jax.tree.flatten(readers)
    for reader in each:
        if not isinstance(reader, Reader):
            raise InputTypeError(f"A network is read by a probe.Reader; this is a {type(reader).__name__}.")
    requests, variables, inputs = zip(*(reader.request(images) for reader in each), strict=True)
    step = partial(_fold_chunk, form, requests, Static(update))
    arguments = tuple(its.rows for its in inputs)  # each reader's own; the images are the same
    size = min(reader.batch_size(images, batch_size) for reader in each)
    init = jax.tree.map(jnp.array, init)  # a copy: each call overwrites the state that it is given
    return fold_rows(step, variables, init, (images, arguments, *rows), merge, size, report=report)


def map_readers(
    readers: Any,
    images: PyTree,
    function: Callable[..., PyTree],
    *,
    rows: Sequence[Given] = (),
    batch_size: int | None = None,
    report: Report | None = None,
) -> PyTree:
    """`function(activations, *rows)` of every image, of several networks that see the same chunk of images.

    `readers`, the activations that the function gets and `rows` are those of `fold_readers`; each leaf of its result
    has one row per image. What it leaves out of a layer's values, as a mean over places does, takes no memory.
    """
    each, form = jax.tree.flatten(readers)
    requests, variables, inputs = zip(*(reader.request(images) for reader in each), strict=True)
    step = partial(_map_chunk, form, requests, Static(function), beside(images, variables))
    size = min(reader.batch_size(images, batch_size) for reader in each)
    return map_rows(step, (images, tuple(its.rows for its in inputs), *rows), size, report=report)


@partial(compiled, static_argnums=(0, 1, 2))
def _map_chunk(
    form: Any, requests: tuple[Request, ...], function: Static, variables: tuple[Variables, ...], rows: tuple[Any, ...]
) -> PyTree:
    return function.value(*_found(form, requests, variables, rows))


@partial(compiled, static_argnums=(0, 1, 2), donate_argnums=4)
def _fold_chunk(
    form: Any,
    requests: tuple[Request, ...],
    update: Static,
    variables: tuple[Variables, ...],
    state: PyTree,
    rows: tuple[Any, ...],
    mask: Array,
) -> PyTree:
    found, *others = _found(form, requests, variables, rows)
    return update.value(state, found, mask, *others)


def _found(form: Any, requests: tuple[Request, ...], variables: tuple[Variables, ...], rows: tuple[Any, ...]) -> list:
    """What all networks compute for a chunk of images, in the form of the readers, and the chunk's other rows."""
    images, arguments, *others = rows
    each = zip(requests, variables, arguments, strict=True)
    found = [request.values(its, Inputs(images, own)) for request, its, own in each]
    return [jax.tree.unflatten(form, found), *others]
