"""What a model gives for images: the values of its layers, and its logits."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.batching import map_rows
from cnnviz.errors import InputError, InputTypeError
from cnnviz.fast.jit import compiled
from cnnviz.probe.trace import Static, Trace, trace
from cnnviz.types import Activations, Array, Given, Logits, Variables

Call = Mapping[str, Any]
NOTHING: Call = MappingProxyType({})


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
    names = in_order(model, variables, images, layers, call)
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


def check_images(images: Any) -> Any:
    if not hasattr(images, "shape"):
        raise InputTypeError(f"Images are an array; these are a {type(images).__name__}.")
    if images.ndim != 4:
        raise InputError(f"Images have the shape [n, h, w, c]; these have {tuple(images.shape)}.")
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputTypeError(f"Images are floats as the run's `prepare` makes them; these are {images.dtype}.")
    return images


def in_order(
    model: Any, variables: Variables, images: Given, layers: Sequence[str] | str | None, call: Call
) -> tuple[str, ...]:
    """The asked names in order of execution; an unknown one is an InputError that lists the layers."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((2, *check_images(images).shape[1:]), images.dtype), call)
    asked = set(traced.values) if layers is None else {layers} if isinstance(layers, str) else set(layers)
    for name in asked:
        traced.value(name)
    return tuple(name for name in [*traced.values, "logits"] if name in asked and not asked.discard(name))


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
