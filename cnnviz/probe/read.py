"""What a model gives for images: the values of its layers, and its logits."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.batching import map_rows
from cnnviz.fast.jit import compiled
from cnnviz.probe.reader import NOTHING, Call, Prepare, Reader, Request
from cnnviz.probe.trace import trace
from cnnviz.types import LOGITS, Activations, Array, Given, LayerNames, Logits, Variables, VariablesLike


def activations(
    model: Any,
    variables: VariablesLike,
    images: Given,
    layers: LayerNames = None,
    *,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
) -> Activations:
    """The values of the named layers (all by default) for each image, in order of execution: arrays `[n, ...]`.

    What the named layers do not need is not computed. In a model without a layer called "logits" this names its logits,
    the output before any softmax or sigmoid. `images` are floats `[n, h, w, c]`, or what `prepare` makes such floats
    of, a chunk at a time.
    """
    reader = Reader(model, variables, layers, prepare=prepare, call=call)
    request, variables = reader.request(images)
    values = map_rows(partial(_read, request, variables), images, batch_size)
    return dict(zip(request.names, values, strict=True))


def logits(
    model: Any,
    variables: VariablesLike,
    images: Given,
    *,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
) -> Logits:
    """The model's outputs `[n, k]` for each image, before any softmax or sigmoid; images as in `activations`."""
    found = activations(model, variables, images, LOGITS, prepare=prepare, batch_size=batch_size, call=call)
    return found[LOGITS]


def output_shape(
    model: Any, variables: VariablesLike, image_shape: Sequence[int], *, call: Call = NOTHING
) -> tuple[int, ...]:
    """The shape of one image's logits; nothing is computed."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call)
    return traced.logits.shape[1:]


def ending(model: Any, variables: VariablesLike, image_shape: Sequence[int], *, call: Call = NOTHING) -> str:
    """What the model makes of its logits at its end: "softmax" (or its logarithm), "sigmoid" or "none"."""
    return trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call).ending


@partial(compiled, static_argnums=0)
def _read(request: Request, variables: Variables, images: Array) -> list[Array]:
    return list(request.values(variables, images).values())
