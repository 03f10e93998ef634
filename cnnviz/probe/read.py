"""What a model gives for images: the values of its layers, and its logits."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.batching import map_rows
from cnnviz.errors import InputError, InputTypeError
from cnnviz.fast.jit import compiled
from cnnviz.probe.trace import Static, Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Activations, Array, Given, LayerNames, Logits, Variables, VariablesLike

Call = Mapping[str, Any]
NOTHING: Call = MappingProxyType({})


def activations(
    model: Any,
    variables: VariablesLike,
    images: Given,
    layers: LayerNames = None,
    *,
    batch_size: int | None = None,
    call: Call = NOTHING,
) -> Activations:
    """The values of the named layers (all by default) for each image, in order of execution: arrays `[n, ...]`.

    What the named layers do not need is not computed. The name "logits" is also the output before any softmax.
    """
    variables = as_variables(variables)
    names = in_order(model, variables, images, layers, call)
    values = map_rows(partial(_read, Static(model), names, Static(call), variables), images, batch_size)
    return dict(zip(names, values, strict=True))


def logits(
    model: Any, variables: VariablesLike, images: Given, *, batch_size: int | None = None, call: Call = NOTHING
) -> Logits:
    """The model's outputs for each image, before any softmax that it ends in."""
    check_images(images)
    read = partial(_read_logits, Static(model), Static(call), as_variables(variables))
    return map_rows(read, images, batch_size)


def output_shape(
    model: Any, variables: VariablesLike, image_shape: Sequence[int], *, call: Call = NOTHING
) -> tuple[int, ...]:
    """The shape of one image's logits; nothing is computed."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call)
    return traced.logits.shape[1:]


def check_images(images: Any) -> Any:
    if not hasattr(images, "shape"):
        raise InputTypeError(f"Images are an array; these are a {type(images).__name__}.")
    if images.ndim != 4:
        raise InputError(f"Images have the shape [n, h, w, c]; these have {tuple(images.shape)}.")
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputTypeError(f"Images are floats as the run's `prepare` makes them; these are {images.dtype}.")
    return images


def as_names(layers: LayerNames) -> tuple[str, ...] | None:
    """The names of layers that are asked for, None for all. Raises InputTypeError for what are not names."""
    if layers is None or isinstance(layers, str):
        return layers if layers is None else (layers,)
    if not isinstance(layers, Iterable) or not all(isinstance(name, str) for name in layers):
        raise InputTypeError(f"Layers are given by name, one or several; these were {layers!r}.")
    return tuple(layers)


def in_order(model: Any, variables: Variables, images: Given, layers: LayerNames, call: Call) -> tuple[str, ...]:
    """The names that are asked for, in order of execution. Raises InputError, with all layers, if one is unknown."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((2, *check_images(images).shape[1:]), images.dtype), call)
    names = as_names(layers)
    asked = set(traced.values if names is None else names)
    for name in asked:
        traced.value(name)
    return tuple(dict.fromkeys(name for name in [*traced.values, "logits"] if name in asked))


def values_of(traced: Trace, variables: Variables, images: Array, names: Sequence[str]) -> list[Array]:
    values = traced.compute(variables, images, [traced.value(name) for name in names])
    return [jnp.moveaxis(value, traced.axes.get(name, 0), 0) for name, value in zip(names, values, strict=True)]


@partial(compiled, static_argnums=(0, 1, 2))
def _read(model: Static, names: tuple[str, ...], call: Static, variables: Variables, images: Array) -> list[Array]:
    return values_of(trace(model.value, variables, images, call.value), variables, images, names)


@partial(compiled, static_argnums=(0, 1))
def _read_logits(model: Static, call: Static, variables: Variables, images: Array) -> Array:
    traced = trace(model.value, variables, images, call.value)
    return traced.compute(variables, images, [traced.logits])[0]
