"""What a model gives for images: the values of its layers, and its logits."""

from functools import partial
from typing import Any

from cnnviz.batching import Report, beside, map_rows
from cnnviz.fast.jit import compiled
from cnnviz.graph import cost
from cnnviz.probe.inputs import Inputs, Prepare, call_for, one_image
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.reader import NOTHING, Call, Reader, Request
from cnnviz.probe.trace import trace
from cnnviz.types import LOGITS, Activations, Array, LayerNames, Logits, PyTree, Variables, VariablesLike


def activations(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layers: LayerNames = None,
    *,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> Activations:
    """The values of the named layers (all by default) for each image, in order of execution: arrays `[n, ...]`.

    What the named layers do not need is not computed. In a model without a layer called "logits" this names its logits,
    the output before any softmax or sigmoid; of several outputs, `output` says which it is (`outputs.logits_among`).
    `images` are floats `[n, ..., c]` (signals, pictures, volumes or vectors) or a dict, tuple or list of arrays with
    one row per image, as the model's call takes them; or what `prepare` makes such inputs of, a chunk at a time.
    `report(done, total)` counts chunks.
    """
    reader = Reader(model, variables, layers, prepare=prepare, call=call, output=output)
    request, variables, inputs = reader.request(images)
    size = reader.batch_size(images, batch_size)
    values = map_rows(partial(_read, request, beside(inputs, variables)), inputs, size, report=report)
    return dict(zip(request.names, values, strict=True))


def logits(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    *,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> Logits:
    """The model's outputs `[n, k]` for each image, before any softmax or sigmoid; the rest as in `activations`."""
    named: Any = {"prepare": prepare, "batch_size": batch_size, "call": call, "output": output, "report": report}
    return activations(model, variables, images, LOGITS, **named)[LOGITS]


def output_shape(
    model: Any, variables: VariablesLike, image_shape: Any, *, call: Call = NOTHING, output: OutputName = None
) -> tuple[int, ...]:
    """The shape of one image's logits; nothing is computed. `image_shape` as in `layers`."""
    return trace(model, variables, one_image(image_shape), call_for(call, 1), output).logits.shape[1:]


def products(model: Any, variables: VariablesLike, image_shape: Any, *, call: Call = NOTHING) -> int:
    """The multiplications that one image costs in convolutions and matrix products; nothing is computed."""
    traced = trace(model, variables, one_image(image_shape), call_for(call, 1))
    return cost.products(traced.graph, *traced.images.values())


def ending(
    model: Any, variables: VariablesLike, image_shape: Any, *, call: Call = NOTHING, output: OutputName = None
) -> str:
    """What the model makes of its logits at its end: "softmax" (or its logarithm), "sigmoid" or "none"."""
    return trace(model, variables, one_image(image_shape), call_for(call, 1), output).ending


@partial(compiled, static_argnums=0)
def _read(request: Request, variables: Variables, inputs: Inputs) -> list[Array]:
    return list(request.values(variables, inputs).values())
