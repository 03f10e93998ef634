"""`attribute` and `suite`: what a model's scores rest on in each image, by one method or by several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import jax
import jax.numpy as jnp

from cnnviz.attribution.inputs import Row, check_finite
from cnnviz.attribution.layers import places
from cnnviz.attribution.loops import loops_named
from cnnviz.attribution.methods import METHODS
from cnnviz.attribution.present import Presentation
from cnnviz.attribution.run import run, run_direct
from cnnviz.attribution.shapes import Direct, Method
from cnnviz.attribution.targets import Targets, Unit, resolve_targets, score_for
from cnnviz.batching import Report
from cnnviz.errors import check_known
from cnnviz.probe import NOTHING, Call, as_variables, find_one
from cnnviz.probe.trace import Static, trace
from cnnviz.registry import resolve
from cnnviz.types import Given, Key, Score, Variables, VariablesLike


@dataclass(frozen=True)
class Explained:
    """The score of a row: what is explained of the model, as a function of its variables and the row."""

    model: Static
    call: Static
    target: Static

    def __call__(self, variables: Variables, row: Row) -> Score:
        return score_for(self.target, row.target, self.model.value, variables, self.call.value)

    def row_bytes(self, variables: Variables, images: Given) -> int:
        """The bytes of the values of one image's score and of their gradients."""
        image = jax.ShapeDtypeStruct((1, *images.shape[1:]), jnp.float32)
        return 2 * trace(self.model.value, variables, image, self.call.value).row_bytes

    def fitted(self, method: Method, variables: Variables, images: Given) -> Method:
        """The method with its options filled in from the model."""
        shape = tuple(images.shape[1:])
        return method.fitted_to(places(self.model.value, variables, shape, self.call.value), shape)


def attribute(
    method: str | type[Method] | Method,
    model: Any,
    variables: VariablesLike,
    images: Given,
    targets: Targets,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    data: Given | None = None,
    channels: str | None = None,
    upsampling: str | None = "bilinear",
    details: bool = False,
    call: Call = NOTHING,
    report: Report | None = None,
    **options: Any,
) -> Any:
    """A map `[n h w]` of what in each image the target's score rests on; maps are raw, not normalized.

    `method` is a name in `METHODS` or a method's class, with its `options`, or a method. `targets` are class indices
    (one, or one per image), "predicted", "label" (which needs `labels`), a pair of those (why this and not that), a
    function of one image's logits, or a `Unit`. Methods that draw at random need a `key`; the same key gives the same
    draws for any `batch_size`, the number of rows (images times samples) that are in the network at once.

    A method's `baseline` is a number, an image `[h w c]`, one per image `[n h w c]`, or an infill by name: "black",
    "mean", "blur", "noise" (needs a `key`) or "data" (needs a `key` and `data`, images `[m h w c]` of a data set).
    `channels` reduces a pixel's channels to one value ("sum", "mean", "max_abs", "l2"; "keep" keeps them); each method
    has a default. `upsampling` brings a layer's map to the image's size ("bilinear", "bilinear_corners", "bicubic",
    "nearest"; None leaves it), and maps of several layers are fused (`present.fused`). With `details` the result is an
    `Attribution`. A second call with other images, variables or classes does not recompile.
    """
    explained, variables, rows = _prepare(model, variables, images, targets, labels, call)
    finish = Presentation(channels, upsampling, details)
    fitted = explained.fitted(build(method, **options), variables, images)
    shared = {"key": key, "batch_size": batch_size, "data": data, "finish": finish}
    shared |= {"row_bytes": explained.row_bytes(variables, images)}
    with loops_named(model, variables, images, call):
        found = run(fitted, explained, variables, rows, report=report, **shared)
    return found if details else found.maps


def suite(
    methods: Sequence[str] | Mapping[str, str | type[Method] | Method],
    model: Any,
    variables: VariablesLike,
    images: Given,
    targets: Targets,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    data: Given | None = None,
    channels: str | None = None,
    upsampling: str | None = "bilinear",
    details: bool = False,
    call: Call = NOTHING,
    report: Report | None = None,
) -> dict[str, Any]:
    """What `attribute` gives for each method, by name; what direct methods share is computed once.

    Methods with options are given as a mapping from names to methods (`build`).
    """
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    explained, variables, rows = _prepare(model, variables, images, targets, labels, call)
    fitted = {name: explained.fitted(build(method), variables, images) for name, method in named.items()}
    together = {name: method for name, method in fitted.items() if isinstance(method, Direct)}
    shared = {"key": key, "batch_size": batch_size, "data": data, "finish": Presentation(channels, upsampling, details)}
    shared |= {"row_bytes": explained.row_bytes(variables, images)}
    with loops_named(model, variables, images, call):
        found = run_direct(together, explained, variables, rows, report=report, **shared) if together else {}
        for name, method in fitted.items():
            if name not in together:
                found[name] = run(method, explained, variables, rows, report=report, **shared)
    return {name: found[name] if details else found[name].maps for name in named}


def build(method: str | type[Method] | Method, **options: Any) -> Method:
    """The method of this name or class with these options, or a method with these options changed.

    Raises InputError, with the nearest name, if a name is unknown.
    """
    known: Any = _class_of(method)
    title = method if isinstance(method, str) else known.__name__
    names = [field.name for field in fields(known)]
    for name in options:
        check_known(f"option of {title}", name, names)
    return replace(method, **options) if isinstance(method, Method) else known(**options)


def _class_of(method: Any) -> Any:
    if isinstance(method, Method):
        return type(method)
    if isinstance(method, type) and issubclass(method, Method):
        return method
    return resolve(METHODS, cast(str, method), "method")


def _prepare(
    model: Any, variables: VariablesLike, images: Given, targets: Targets, labels: Any, call: Call
) -> tuple[Explained, Variables, Row]:
    check_finite(images)
    variables = as_variables(variables)
    kind, numbers = resolve_targets(targets, model, variables, images, labels, call)
    if isinstance(kind.value, Unit):
        layer = find_one(kind.value.layer, places(model, variables, images.shape[1:], call))
        kind = Static(replace(kind.value, layer=layer))
    return Explained(Static(model), Static(call), kind), variables, Row(images, numbers)
