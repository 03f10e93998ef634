"""The one seam between models and all that looks at them: any Flax model, Linen or NNX, as plain functions.

A model is traced once for each shape of images; its graph, in which every module's output and every sown value has a
name, is then what is computed from: a value that was not asked for is not computed, and an offset added to a named
value shifts all that comes after it, whoever wrote the model.

Every function takes `call`, extra arguments for the model's own call. Arguments that say "evaluation" under their usual
names (`train=False`, `deterministic=True`, ...) are filled in by the model's signature.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.batching import chunks, map_rows
from cnnviz.compiled import compiled
from cnnviz.errors import InputError, InputTypeError
from cnnviz.kernels import parameter_counts
from cnnviz.nnx import from_nnx as from_nnx
from cnnviz.receptive_field import receptive_fields
from cnnviz.trace import Static, Trace, trace
from cnnviz.types import Activations, Array, Given, Image, Logits, PyTree, Scalar, Score, Variables

Call = Mapping[str, Any]
NOTHING: Call = MappingProxyType({})
Class = int | np.integer | Array
Target = Class | tuple[Class, Class] | Callable[[Array], Array]


@dataclass(frozen=True)
class Layer:
    """One row of a model's layer table; `shape` is that of one image's value.

    `parameters` are those the module holds itself, so that a column of them sums to the model's. `receptive_field` is
    the (h, w) of the pixels that one value can depend on, the whole image after flattening or a mean; None where the
    value does not depend on the image.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    receptive_field: tuple[int, int] | None


def layers(model: Any, variables: Variables, image_shape: Sequence[int], *, call: Call = NOTHING) -> list[Layer]:
    """Every layer of the model in order of execution, for images of the shape (h, w, c); nothing is computed.

    A layer is a module's output, named by the module's path, or a value that the model sows; one that is called twice
    is `name@0` and `name@1`. All other functions give layers in this order.
    """
    if len(image_shape) != 3:
        raise InputError(f"An image has the shape (h, w, c); it was {tuple(image_shape)}.")
    images = jax.ShapeDtypeStruct((2, *image_shape), jnp.float32)
    traced = trace(model, variables, images, call)
    fields = receptive_fields(traced.graph, traced.image, sides=(1, 2))
    counts = parameter_counts(variables)
    rows = []
    for name, value in traced.values.items():
        shape = tuple(n for axis, n in enumerate(value.shape) if axis != traced.axes[name])
        own = counts.pop(name.split("@")[0], 0)  # a second call brings no parameters of its own
        rows.append(Layer(name, traced.kinds[name], shape, own, fields.get(value)))
    if len(rows) == 1:  # a model of one layer, whose parameters have no path
        rows = [replace(rows[0], parameters=rows[0].parameters + sum(counts.values()))]
    return rows


def activations(
    model: Any,
    variables: Variables,
    images: Given,
    layers: Sequence[str] | str | None = None,
    *,
    batch_size: int | None = None,
    call: Call = NOTHING,
) -> Activations:
    """The values of the named layers (all by default) for each image, in order of execution: arrays `[n, ...]`.

    What the named layers do not need is not computed. The name "logits" is also the output before any softmax.
    """
    names = _in_order(model, variables, images, layers, call)
    values = map_rows(partial(_read, Static(model), names, Static(call), variables), images, batch_size)
    return dict(zip(names, values, strict=True))


def logits(
    model: Any, variables: Variables, images: Given, *, batch_size: int | None = None, call: Call = NOTHING
) -> Logits:
    """The model's outputs for each image, before any softmax that it ends in."""
    check_images(images)
    return map_rows(partial(_read_logits, Static(model), Static(call), variables), images, batch_size)


def output_shape(
    model: Any, variables: Variables, image_shape: Sequence[int], *, call: Call = NOTHING
) -> tuple[int, ...]:
    """The shape of one image's logits; nothing is computed."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call)
    return traced.logits.shape[1:]


def score_of(model: Any, variables: Variables, target: Target, *, call: Call = NOTHING) -> Score:
    """What is explained: the target's logit as a function of one image and of offsets added to activations.

    `target` is a class index (it may be traced), a pair of them (the difference of their logits), or a function of the
    logits, which are those before any softmax that the model ends in. A missing offset means zero; the score's second
    result is every layer's value, without a batch axis, and the logits under "logits". Inside `jax.jit`, pass
    `variables` and `target` as arguments, so that another checkpoint or class does not recompile.
    """

    def score(image: Image, offsets: Activations) -> tuple[Scalar, Activations]:
        images = check_images(image[None])
        traced = trace(model, variables, images, call)
        shifts = {traced.value(name): _as_offset(traced, name, offset) for name, offset in offsets.items()}
        found, *values = traced.compute(variables, images, [traced.logits, *traced.values.values()], shifts)
        named = zip(traced.values, values, strict=True)
        rows = {name: jnp.squeeze(value, traced.axes[name]) for name, value in named}
        return _pick(found[0], target), {"logits": found[0], **rows}

    return score


def fold(
    model: Any,
    variables: Variables,
    images: Given,
    layers: Sequence[str] | str | None,
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
    names = _in_order(model, variables, images, layers, call)
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


def _in_order(
    model: Any, variables: Variables, images: Given, layers: Sequence[str] | str | None, call: Call
) -> tuple[str, ...]:
    """The asked names in order of execution; an unknown one is an InputError that lists the layers."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((2, *check_images(images).shape[1:]), images.dtype), call)
    asked = set(traced.values) if layers is None else {layers} if isinstance(layers, str) else set(layers)
    for name in asked:
        traced.value(name)
    return tuple(name for name in [*traced.values, "logits"] if name in asked and not asked.discard(name))


def check_images(images: Any) -> Any:
    if not hasattr(images, "shape"):
        raise InputTypeError(f"Images are an array; these are a {type(images).__name__}.")
    if images.ndim != 4:
        raise InputError(f"Images have the shape [n, h, w, c]; these have {tuple(images.shape)}.")
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputTypeError(f"Images are floats as the run's `prepare` makes them; these are {images.dtype}.")
    return images


def _values(traced: Trace, variables: Variables, images: Array, names: Sequence[str]) -> list[Array]:
    values = traced.compute(variables, images, [traced.value(name) for name in names])
    return [jnp.moveaxis(value, traced.axes.get(name, 0), 0) for name, value in zip(names, values, strict=True)]


@partial(compiled, static_argnums=(0, 1, 2))
def _read(model: Static, names: tuple[str, ...], call: Static, variables: Variables, images: Array) -> list[Array]:
    return _values(trace(model.value, variables, images, call.value), variables, images, names)


@partial(compiled, static_argnums=(0, 1))
def _read_logits(model: Static, call: Static, variables: Variables, images: Array) -> Array:
    traced = trace(model.value, variables, images, call.value)
    return traced.compute(variables, images, [traced.logits])[0]


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
    found = _values(trace(model.value, variables, images, call.value), variables, images, names)
    return update.value(state, dict(zip(names, found, strict=True)), mask, *others)


def _as_offset(traced: Trace, name: str, offset: Array) -> Array:
    """The offset with the layer's batch axis; another shape would broadcast in silence: an InputError."""
    axis = traced.axes.get(name, 0)
    shifted = jnp.expand_dims(offset, axis)
    if shifted.shape != traced.value(name).shape:
        shape = tuple(n for i, n in enumerate(traced.value(name).shape) if i != axis)
        raise InputError(
            f"An offset has the shape of its layer; {name!r} has {shape}, the offset {tuple(offset.shape)}."
        )
    return shifted


def _pick(logits: Array, target: Target) -> Array:
    """The scalar that `target` names among one image's logits."""
    if callable(target):
        return _one_number(target(logits))
    if isinstance(target, tuple):
        return _pick(logits, target[0]) - _pick(logits, target[1])
    if logits.ndim != 1:
        raise InputError(f"A class has one score; this model gives {tuple(logits.shape)} an image, so give a function.")
    if isinstance(target, int | np.integer) and not 0 <= target < logits.shape[-1]:
        raise InputError(f"A target is a class from 0 to {logits.shape[-1] - 1}; it was {target}.")
    return logits[target]


def _one_number(found: Any) -> Array:
    """What a function of the logits gives; anything but one number is an InputTypeError."""
    if np.shape(found) != () or not isinstance(found, float | jax.Array | np.generic):
        given = f"shape {np.shape(found)}" if hasattr(found, "shape") else f"the kind {type(found).__name__}"
        raise InputTypeError(f"A target that is a function of the logits gives one number; this one gave {given}.")
    return jnp.asarray(found)
