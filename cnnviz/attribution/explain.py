"""`attribute` and `suite`: what a model's scores rest on in each image, by one method or by several.

Images are `[n, ..., c]`: maps are `[n h w]` of pictures, `[n t]` of signals `[n, t, c]`, `[n d h w]` of volumes and
`[n f]` of vectors. If a model has several inputs, images are a dict, tuple or list with one row per image in each.
`input` names the one that is explained, with the others held as they are; without it each is explained in turn, and the
result has the form of `images`, with None for integers. If it has several outputs, `output` names the one that the
logits are (`probe.outputs.logits_among`); a `Unit` as the target needs no logits. A bfloat16 or float16 model is
explained as the same model in float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from cnnviz.attribution.at_layer import at_layer
from cnnviz.attribution.explained import Explained, Question, ask
from cnnviz.attribution.inputs import Row
from cnnviz.attribution.loops import loops_named
from cnnviz.attribution.methods import METHODS
from cnnviz.attribution.present import Presentation
from cnnviz.attribution.run import run, run_direct
from cnnviz.attribution.shapes import Direct, Method, in_channels, options_in
from cnnviz.attribution.targets import Targets
from cnnviz.batching import Report
from cnnviz.errors import check_known
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.outputs import OutputName
from cnnviz.registry import check_number, resolve
from cnnviz.types import Key, LayerNames, PyTree, VariablesLike


def attribute(
    method: str | type[Method] | Method,
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    targets: Targets,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    data: PyTree = None,
    channels: str | None = None,
    upsampling: str | None = "bilinear",
    details: bool = False,
    call: Call = NOTHING,
    input: str | int | None = None,
    output: OutputName = None,
    at: LayerNames = None,
    report: Report | None = None,
    **options: Any,
) -> Any:
    """A map of what in each image the target's score rests on, `[n h w]` of pictures; maps are raw, not normalized.

    `method` is a name in `METHODS` or a method's class, with its `options`, or a method. `targets` are class indices
    (one, or one per image), "predicted", "label" (which needs `labels`), a pair of those (why this and not that), a
    function of one image's logits, or a `Unit`. Methods that draw at random need a `key`; the same key gives the same
    draws for any `batch_size`, the number of rows (images times samples) that are in the network at once.

    A method's `baseline` is a number, an image `[... c]`, one per image `[n ... c]`, or an infill by name: "black",
    "mean", "blur", "negative", "noise" (needs a `key`) or "data" (a `key` and `data`, images `[m ... c]`). `channels`
    reduces a pixel's channels ("sum", "mean", "max_abs", "l2"); "keep" keeps them, for a CAM its layer's, whose sum is
    the map before its ReLU. `upsampling` brings a layer's map to the image's size ("bilinear", "bilinear_corners",
    "bicubic", "nearest"; None leaves it), and maps of several layers are fused (`present.fused`). With `details` the
    result is an `Attribution`. `at` is a layer whose values are explained in place of the image's (`at_layer`).
    """
    question = ask(model, variables, images, targets, labels, call, output)
    shared = {"key": key, "batch_size": batch_size, "finish": Presentation(channels, upsampling, details)}
    asked = {"": _at(build(method, **options), at)}
    one = lambda *of_input: _run(asked, question, *of_input, report=report, **shared)[""]
    return question.of_inputs(input, data, one)


def suite(
    methods: Sequence[str] | Mapping[str, str | type[Method] | Method],
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    targets: Targets,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    data: PyTree = None,
    channels: str | None = None,
    upsampling: str | None = "bilinear",
    details: bool = False,
    call: Call = NOTHING,
    input: str | int | None = None,
    output: OutputName = None,
    at: LayerNames = None,
    report: Report | None = None,
) -> Any:
    """What `attribute` gives for each method, by name; what direct methods share is computed once.

    Methods with options are given as a mapping from names to methods (`build`). Of several inputs without an `input`,
    there is such a dict for each, in the form of `images`.
    """
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    asked = {name: _at(build(method), at) for name, method in named.items()}
    question = ask(model, variables, images, targets, labels, call, output)
    shared = {"key": key, "batch_size": batch_size, "finish": Presentation(channels, upsampling, details)}
    every = lambda *of_input: _run(asked, question, *of_input, report=report, **shared)
    return question.of_inputs(input, data, every)


def _run(
    methods: Mapping[str, Method],
    question: Question,
    explained: Explained,
    rows: Row,
    data: Any,
    *,
    report: Report | None,
    finish: Presentation,
    **shared: Any,
) -> dict[str, Any]:
    """What each method gives for these rows: maps or, with details, attributions."""
    variables, traced, shape = question.variables, question.traced, tuple(rows.image.shape[1:])
    fitted = {name: explained.fitted(method, traced, shape) for name, method in methods.items()}
    if finish.channels == "keep":
        fitted = {name: in_channels(method) for name, method in fitted.items()}
    together = {name: method for name, method in fitted.items() if isinstance(method, Direct)}
    shared = {**shared, "data": data, "finish": finish}
    row_bytes = lambda method: (1 + method.differentiates) * traced.row_bytes
    with loops_named(traced.graph):
        most = max(map(row_bytes, together.values()), default=0)
        of_rows = (explained, variables, rows)
        found = run_direct(together, *of_rows, report=report, row_bytes=most, **shared) if together else {}
        for name, method in fitted.items():
            if name not in together:
                found[name] = run(method, *of_rows, report=report, row_bytes=row_bytes(method), **shared)
    return {name: found[name] if finish.details else found[name].maps for name in methods}


def build(method: str | type[Method] | Method, **options: Any) -> Method:
    """The method of this name or class with these options, or a method with these options changed.

    Raises InputError, with the nearest name, if a name is unknown, and InputTypeError for a number that is none.
    """
    known: Any = _class_of(method)
    title = method if isinstance(method, str) else known.__name__
    types = options_in(known)
    for name, value in options.items():
        check_known(f"option of {title}", name, types)
        check_number(title, name, value, getattr(types[name], "__name__", ""))
    return replace(method, **options) if isinstance(method, Method) else known(**options)


def _at(method: Method, layer: LayerNames) -> Method:
    return method if layer is None else at_layer(method, layer)


def _class_of(method: Any) -> Any:
    if isinstance(method, Method):
        return type(method)
    if isinstance(method, type) and issubclass(method, Method):
        return method
    return resolve(METHODS, cast(str, method), "method")
