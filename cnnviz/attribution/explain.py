"""`attribute` and `suite`: methods, which see one image and a `Score`, run over models and images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.attribution import METHODS
from cnnviz.attribution.inputs import check_finite, check_key, split_rows
from cnnviz.attribution.layers import places
from cnnviz.attribution.present import check, present
from cnnviz.attribution.shapes import Direct, Method, Raw, Sampled, Stepwise
from cnnviz.attribution.targets import Targets, Unit, resolve_targets, score_for
from cnnviz.batching import SAMPLED_ROWS, Report, batch_size_or_default, map_rows, map_samples, map_steps
from cnnviz.errors import InputTypeError, unknown
from cnnviz.fast.jit import compiled
from cnnviz.fast.linear_samples import over_samples
from cnnviz.fast.rewrite import deduplicated, faster, with_fast_convolutions
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.trace import Static
from cnnviz.registry import resolve
from cnnviz.types import Array, Given, Image, Key, PyTree, Score, Variables


class Attribution(NamedTuple):
    """The maps `[n h w]`, each layer's own at its resolution, and the completeness gap of each image.

    The gap is the sum of the raw values less what the method's law says they sum to; None where there is no such law.
    """

    maps: Array
    layers: dict[str, Array]
    gap: Array | None


class Row(NamedTuple):
    """One image, what is explained of it, its number, and by method the fields that hold a row an image."""

    image: Any
    target: PyTree
    number: Any
    inputs: Mapping[str, Mapping[str, Array]]

    def method(self, name: str, method: Method) -> Method:
        """The method with its own row of those fields, each in the image's shape."""
        whole = {field: jnp.broadcast_to(value, self.image.shape) for field, value in self.inputs[name].items()}
        return replace(method, **whole)

    def key(self, key: Key | None) -> Key:
        """The image's own key; where none is needed any will do."""
        return jax.random.fold_in(jax.random.key(0) if key is None else key, self.number)


@dataclass(frozen=True)
class Setting:
    """What a compilation depends on, besides the method's own options and the shapes."""

    model: Static
    call: Static
    target: Static
    channels: str | None
    upsampling: str | None
    details: bool

    def score(self, method: Method, variables: Variables, row: Row) -> Score:
        score = score_for(self.target, row.target, self.model.value, variables, self.call.value)
        return faster(score) if method.rewritten else score

    def result(self, method: Method, score: Score, image: Image, raw: Raw) -> Attribution:
        maps, layers = present(raw, image.shape, self.channels or method.channels, self.upsampling)
        if not self.details:
            return Attribution(maps, {}, None)
        due = method.completeness_target(score, image)
        total = sum(jnp.sum(values) for values in jax.tree.leaves(raw))
        return Attribution(maps, layers, None if due is None else total - due)


def attribute(
    method: str | Method,
    model: Any,
    variables: Variables,
    images: Given,
    targets: Targets,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    channels: str | None = None,
    upsampling: str | None = "bilinear",
    details: bool = False,
    call: Call = NOTHING,
    report: Report | None = None,
    **options: Any,
) -> Any:
    """A map `[n h w]` of what in each image the targets' scores rest on, raw: no map is normalized.

    `method` is a name of `METHODS` with its `options`, or a method. `targets` are class indices, one for all or one for
    each image, "predicted", "label" (which needs `labels`), a pair of those (why this, and not that), a function of one
    image's logits, or a `Unit` of a layer. Random methods need a `key`: the same key draws the same for any
    `batch_size`, which is only a matter of memory: so many rows, images times samples, are in the network at one time.

    `channels` is how a pixel's channels become one value ("sum", "mean", "max_abs", "l2"; "keep" keeps them), by
    default as the method is known. A layer's map is brought to the image's size by `upsampling` ("bilinear",
    "bilinear_corners", "bicubic", "nearest"; None leaves it); several layers' maps are fused (`present.fused`). With
    `details` an `Attribution` comes back: the maps, each layer's own, and the completeness gap. `report(done, total)`
    is called as the work goes on. A second call with other images, variables or classes compiles nothing anew.
    """
    chosen = build(method, **options)
    setting, rows = _prepare(model, variables, images, targets, labels, channels, upsampling, details, call)
    found = _run(setting, _fitted(chosen, setting, variables, images), variables, rows, key, batch_size, report)
    return found if details else found.maps


def suite(
    methods: Sequence[str] | Mapping[str, str | Method],
    model: Any,
    variables: Variables,
    images: Given,
    targets: Targets,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    channels: str | None = None,
    upsampling: str | None = "bilinear",
    details: bool = False,
    call: Call = NOTHING,
    report: Report | None = None,
) -> dict[str, Any]:
    """What `attribute` gives for each method, by name; what direct methods share is computed once.

    Methods with options go in as a mapping from a name of one's own to a method (`build`).
    """
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    setting, rows = _prepare(model, variables, images, targets, labels, channels, upsampling, details, call)
    fitted = {name: _fitted(build(method), setting, variables, images) for name, method in named.items()}
    together = {name: method for name, method in fitted.items() if isinstance(method, Direct)}
    found = _run_direct(setting, together, variables, rows, batch_size) if together else {}
    for name in fitted.keys() - together.keys():
        found[name] = _run(setting, fitted[name], variables, rows, key, batch_size, report)
    return {name: found[name] if details else found[name].maps for name in named}


def build(method: str | Method, **options: Any) -> Method:
    """The method of this name with these options; an unknown name or option is an InputError with the nearest."""
    if isinstance(method, Method):
        return replace(method, **options)
    known = resolve(METHODS, method, "method")
    names = [f.name for f in fields(known)]
    for name in options:
        if name not in names:
            raise unknown(f"option of {method}", name, names)
    return known(**options)


def _prepare(model, variables, images, targets, labels, channels, upsampling, details, call) -> tuple[Setting, Row]:
    check_finite(images)
    check(channels or "sum", upsampling)
    kind, numbers = resolve_targets(targets, model, variables, images, labels, call)
    if isinstance(kind.value, Unit):
        names = [place.name for place in places(model, variables, images.shape[1:], call)]
        if kind.value.layer not in names:
            raise unknown("layer", kind.value.layer, names)
    setting = Setting(Static(model), Static(call), kind, channels, upsampling, details)
    return setting, Row(images, numbers, np.arange(len(images), dtype=np.int32), {})


def _fitted(method: Method, setting: Setting, variables: Variables, images: Any) -> Method:
    """The method with its options filled in from the model."""
    shape = tuple(images.shape[1:])
    return method.fitted_to(places(setting.model.value, variables, shape, setting.call.value), shape)


def _run(
    setting: Setting,
    method: Method,
    variables: Variables,
    rows: Row,
    key: Key | None,
    batch_size: int | None,
    report: Report | None,
) -> Attribution:
    """One method over all rows, in its shape."""
    if isinstance(method, Direct):
        return _run_direct(setting, {"": method}, variables, rows, batch_size)[""]
    check_key(method, key)
    bare, inputs = split_rows(method, rows.image)
    rows = rows._replace(inputs={"": inputs})
    finish = partial(_finish, setting, bare, variables)
    if isinstance(method, Sampled):
        most = max(1, batch_size_or_default(batch_size, SAMPLED_ROWS) // method.cost)
        contribute = lambda rows, first, size: _contribute(setting, size, bare, variables, key, rows, first)
        return map_samples(contribute, finish, rows, method.count, most, keep=method.keep, report=report)
    if not isinstance(method, Stepwise):
        raise InputTypeError(f"A method is Direct, Sampled or Stepwise; {type(method).__name__} is none of them.")
    init, step = partial(_init, setting, bare, variables, key), partial(_step, setting, bare, variables)
    return map_steps(init, step, finish, rows, method.steps, batch_size, report=report)


def _run_direct(
    setting: Setting, methods: Mapping[str, Method], variables: Variables, rows: Row, batch_size: int | None
) -> dict[str, Attribution]:
    """Direct methods over all rows, in one compiled call."""
    split = {name: split_rows(method, rows.image) for name, method in methods.items()}
    rows = rows._replace(inputs={name: inputs for name, (_, inputs) in split.items()})
    bare = {name: method for name, (method, _) in split.items()}
    return map_rows(partial(_direct, setting, bare, variables), rows, batch_size)


@partial(compiled, static_argnums=0)
def _direct(setting: Setting, methods: dict[str, Method], variables: Variables, rows: Row) -> dict[str, Attribution]:
    def one(row: Row) -> dict[str, Attribution]:
        return {name: explained(row.method(name, method), row) for name, method in methods.items()}

    def explained(method: Any, row: Row) -> Attribution:
        score = setting.score(method, variables, row)
        return setting.result(method, score, row.image, method(score, row.image))

    every = jax.vmap(one)
    return with_fast_convolutions(deduplicated(every) if len(methods) > 1 else every)(rows)


@partial(compiled, static_argnums=(0, 1), large_sums=True)
def _contribute(
    setting: Setting, size: int, method: Sampled, variables: Variables, key: Key | None, rows: Row, first: Array
) -> PyTree:
    def one(row: Row) -> PyTree:
        own: Any = row.method("", method)
        score, image_key = setting.score(own, variables, row), row.key(key)
        sample = lambda i: own.contribute(score, row.image, own.draw(image_key, i, row.image))
        return over_samples(sample, first, size, own.count, keep=own.keep)

    return with_fast_convolutions(jax.vmap(one))(rows)


@partial(compiled, static_argnums=0)
def _finish(setting: Setting, method: Method, variables: Variables, rows: Row, state: PyTree) -> Attribution:
    def one(row: Row, state: PyTree) -> Attribution:
        own: Any = row.method("", method)
        score = setting.score(own, variables, row)
        return setting.result(own, score, row.image, own.finish(score, row.image, state))

    return with_fast_convolutions(jax.vmap(one))(rows, state)


@partial(compiled, static_argnums=0)
def _init(setting: Setting, method: Stepwise, variables: Variables, key: Key | None, rows: Row) -> PyTree:
    def one(row: Row) -> PyTree:
        own: Any = row.method("", method)
        return own.init(setting.score(own, variables, row), row.image, row.key(key))

    return with_fast_convolutions(jax.vmap(one))(rows)


@partial(compiled, static_argnums=0)
def _step(setting: Setting, method: Stepwise, variables: Variables, rows: Row, state: PyTree, i: Array) -> PyTree:
    def one(row: Row, state: PyTree) -> PyTree:
        own: Any = row.method("", method)
        return own.step(setting.score(own, variables, row), row.image, state, i)

    return with_fast_convolutions(jax.vmap(one))(rows, state)
