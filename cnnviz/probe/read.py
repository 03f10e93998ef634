"""What a model gives for images: the values of its layers, and its logits."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.batching import Report, map_rows
from cnnviz.fast.jit import compiled
from cnnviz.graph import cost
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
    report: Report | None = None,
) -> Activations:
    """The values of the named layers (all by default) for each image, in order of execution: arrays `[n, ...]`.

    What the named layers do not need is not computed. In a model without a layer called "logits" this names its logits,
    the output before any softmax or sigmoid. `images` are floats `[n, h, w, c]`, or what `prepare` makes such floats
    of, a chunk at a time. `report(done, total)` counts chunks.
    """
    reader = Reader(model, variables, layers, prepare=prepare, call=call)
    request, variables = reader.request(images)
    size = reader.batch_size(images, batch_size)
    values = map_rows(partial(_read, request, variables), images, size, report=report)
    return dict(zip(request.names, values, strict=True))


def logits(
    model: Any,
    variables: VariablesLike,
    images: Given,
    *,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> Logits:
    """The model's outputs `[n, k]` for each image, before any softmax or sigmoid; the rest as in `activations`."""
    named: Any = {"prepare": prepare, "batch_size": batch_size, "call": call, "report": report}
    return activations(model, variables, images, LOGITS, **named)[LOGITS]


def output_shape(
    model: Any, variables: VariablesLike, image_shape: Sequence[int], *, call: Call = NOTHING
) -> tuple[int, ...]:
    """The shape of one image's logits; nothing is computed."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call)
    return traced.logits.shape[1:]


def products(model: Any, variables: VariablesLike, image_shape: Sequence[int], *, call: Call = NOTHING) -> int:
    """The multiplications that one image costs in convolutions and matrix products; nothing is computed."""
    traced = trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call)
    return cost.products(traced.graph, traced.image)


def ending(model: Any, variables: VariablesLike, image_shape: Sequence[int], *, call: Call = NOTHING) -> str:
    """What the model makes of its logits at its end: "softmax" (or its logarithm), "sigmoid" or "none"."""
    return trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call).ending


@partial(compiled, static_argnums=0)
def _read(request: Request, variables: Variables, images: Array) -> list[Array]:
    return list(request.values(variables, images).values())
