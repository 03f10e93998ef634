"""`measure`: the numbers that a metric gives for maps of a model's images, one per image.

Metrics of a map go through the runner of attribution methods (`attribution.run`): the perturbed images of all steps and
all images pass the network in compiled batches, and another key, other maps or other variables do not recompile.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from cnnviz.attribution.explain import build as build_method
from cnnviz.attribution.explained import Question, ask
from cnnviz.attribution.inputs import check_finite, check_key
from cnnviz.attribution.run import run
from cnnviz.attribution.targets import Targets
from cnnviz.batching import Report, part
from cnnviz.errors import InputError, InputTypeError, check_known
from cnnviz.metrics.explainer import Explainer
from cnnviz.metrics.members import OfMembers
from cnnviz.metrics.metrics import METRICS
from cnnviz.metrics.outcome import Outcome
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.shapes import Formula, Metric, OfMap, Perturbation, Perturbing
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.outputs import OutputName
from cnnviz.registry import resolve
from cnnviz.types import Key, PyTree, VariablesLike


class Measured(NamedTuple):
    """The number of each image `[n]`, and what it was made of: a curve's points `[n, steps]`, layers, or None."""

    values: Float[np.ndarray, " n"]
    parts: Any = None


def measure(
    metric: str | type[Metric] | Metric,
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    targets: Targets,
    maps: Any = None,
    *,
    method: Any = None,
    key: Key | None = None,
    batch_size: int | None = None,
    labels: Any = None,
    data: PyTree = None,
    call: Call = NOTHING,
    output: OutputName = None,
    details: bool = False,
    undefined: str = "refused",
    report: Report | None = None,
    **options: Any,
) -> Any:
    """The metric's number for each image, `[n]`; with `details`, a `Measured`.

    `metric` is a name in `METRICS` or a class, with its `options`, or a metric. `maps` `[n h w]` are what `attribute`
    gave for the same images and targets, or have the images' channels and are taken value by value. Of several maps, a
    mapping, the result is a mapping too, and images that are perturbed alike for all of them pass the network once.
    Metrics that ask for more maps need the `method` too, and compute `maps` by it if there are none. The same key gives
    the same draws for any `batch_size`.

    A map that a metric is not defined for (a constant one) raises InputError, or has NaN with `undefined="nan"`.
    """
    asked = _checked(build(metric, **options), key, undefined, maps)
    images, key = check_single(images), jax.random.key(0) if key is None else key
    question = ask(model, variables, images, targets, labels, call, output)
    if isinstance(asked, OfMethod):
        others = dict(labels=labels, data=data, call=call, output=output)
        explainer = _explainer(asked, method, model, question, images, targets, key, batch_size, others)
        return measured_by(asked, explainer, maps, key, details=details, undefined=undefined, report=report)
    answers = _answers(asked, question, images.shape, maps, key, batch_size, data, report, details, undefined)
    return answers if isinstance(maps, Mapping) else answers[""]


def _answers(
    asked: OfMap,
    question: Question,
    image_shape: tuple[int, ...],
    maps: Any,
    key: Key,
    batch_size: int | None,
    data: PyTree,
    report: Report | None,
    details: bool,
    undefined: str,
) -> dict[str, Any]:
    """What `measure` gives for each of several maps by name, or for the only ones by ""."""
    several = maps if isinstance(maps, Mapping) else {"": maps}
    several = {name: as_maps(each, image_shape) for name, each in several.items()}
    gone = {name: undefined_maps(asked, each, undefined) for name, each in several.items()}
    found = _of_maps(asked, question, several, key, batch_size, data, report)
    return {name: _answer(*found[name], gone[name], details) for name in several}


def _checked(asked: Metric, key: Key | None, undefined: str, maps: Any) -> Any:
    check_key(asked, key)
    check_known("way to treat undefined maps", undefined, ("refused", "nan"))
    name = type(asked).__name__
    if isinstance(asked, OfMembers):
        raise InputError(f"{name} compares several networks: call it with their maps and predictions.")
    if not isinstance(asked, OfMap | OfMethod):
        raise InputTypeError(f"A metric is OfMap, OfMethod or OfMembers; {name} is none of these.")
    if isinstance(asked, OfMap) and maps is None:
        raise InputError(f"{name} needs maps; give those that attribute computed for these images.")
    if isinstance(asked, OfMethod) and isinstance(maps, Mapping):
        raise InputTypeError(f"{name} asks one method for more maps, so it takes one array of maps.")
    return asked


def _of_maps(
    asked: OfMap,
    question: Question,
    maps: Mapping[str, Any],
    key: Key,
    batch_size: int | None,
    data: PyTree,
    report: Report | None,
) -> dict[str, tuple[Any, Any]]:
    """By name, the numbers and parts that the runner gives; what maps share is computed once."""
    explained, rows, data = question.of_inputs(None, data, lambda *each: each)
    outcome = Outcome(explained, asked.outcome, question.traced.ending)
    shared = {"key": key, "batch_size": batch_size, "data": data, "row_bytes": question.traced.row_bytes}
    groups: dict[Any, list[str]] = {}
    for name, each in maps.items():
        groups.setdefault(each.shape if asked.shared else name, []).append(name)
    found: dict[str, tuple[Any, Any]] = {}
    for place, names in enumerate(groups.values()):
        judge = adapted(asked, [maps[name] for name in names], tuple(rows.image.shape[1:]))
        told = part(report, place, len(groups))
        values, parts = run(judge, outcome, question.variables, rows, report=told, **shared)
        at = lambda i, parts=parts: parts if isinstance(parts, tuple) else parts[:, i]
        found |= {name: (values[:, i], at(i)) for i, name in enumerate(names)}
    return found


def measured_by(
    metric: OfMethod,
    explainer: Explainer,
    maps: Any,
    key: Key,
    *,
    details: bool = False,
    undefined: str = "refused",
    report: Report | None = None,
) -> Any:
    """What `measure` gives for a metric of a method that is asked by an explainer, or of a control."""
    maps = as_maps(explainer.maps() if maps is None else maps, explainer.images.shape)
    gone = undefined_maps(metric, maps, undefined)
    values, parts = metric.details(explainer, maps, key, report)
    return _answer(values, parts, gone, details)


def build(metric: str | type[Metric] | Metric, **options: Any) -> Metric:
    """The metric of this name or class with these options, or a metric with these options changed.

    Raises InputError, with the nearest name, if a name is unknown.
    """
    known = resolve(METRICS, metric, "metric") if isinstance(metric, str) else metric
    if not isinstance(known, Metric) and not (isinstance(known, type) and issubclass(known, Metric)):
        raise InputTypeError(f"A metric is a name of METRICS, a class or a metric; it was {metric!r}.")
    return build_method(known, **options)  # pyright: ignore[reportReturnType]


def check_single(images: Any) -> Any:
    """The images as one array; raises InputTypeError if a model has several inputs."""
    if isinstance(images, dict | list | tuple):
        raise InputTypeError("Metrics take the images of models with one input, one array; these are several.")
    return images


def as_maps(maps: Any, image_shape: tuple[int, ...]) -> Shaped[Any, "n ..."]:
    """The maps as an array; raises InputError unless they are maps of images of this shape `[n, ..., c]`."""
    found = maps if isinstance(maps, jax.Array) else np.asarray(maps)
    fits = ((*image_shape[:-1],), image_shape) if len(image_shape) > 2 else (image_shape,)
    if tuple(found.shape) not in fits:
        wanted = " or ".join(map(str, fits))
        raise InputError(
            f"Maps of images {tuple(image_shape)} have the shape {wanted}; these have {tuple(found.shape)}."
        )
    check_finite(found, "Map")
    return found


def undefined_maps(metric: Metric, maps: Any, undefined: str) -> np.ndarray:
    """Which maps `[n]` the metric is not defined for; raises InputError if there are such and they are refused."""
    flat = np.asarray(maps).reshape(len(maps), -1)
    zero = np.asarray(~flat.any(axis=1))
    covered = {"varying": np.asarray(flat.max(axis=1) == flat.min(axis=1)), "nonzero": zero, "": np.zeros_like(zero)}
    gone = covered[metric.needs]
    if gone.any() and undefined == "refused":
        first, count = int(gone.argmax()), int(gone.sum())
        word = "zero everywhere" if zero[first] else f"{flat[first, 0]:g} everywhere"
        raise InputError(
            f"{type(metric).__name__} is not defined for a constant map: map {first} is {word} ({count} of {len(maps)} "
            "maps); leave it out, or take undefined='nan'."
        )
    return gone


def adapted(metric: OfMap, maps: Sequence[Any], image_shape: tuple[int, ...]) -> Any:
    """The metric and some maps of each image as a method that the runner takes."""
    fitted = metric.fitted_to((), image_shape)
    kind = Perturbation if isinstance(metric, Perturbing) else Formula
    resident = any(isinstance(each, jax.Array) for each in maps)
    return kind(metric=fitted, map=jnp.stack(maps, 1) if resident else np.stack(maps, 1).astype(np.float32))


def _explainer(
    asked: OfMethod, method: Any, model: Any, question: Question, images: Any, targets: Targets, *rest: Any
) -> Explainer:
    if method is None:
        raise InputError(f"{type(asked).__name__} asks for more maps, so it needs the method that made them.")
    classes = question.numbers if isinstance(question.numbers, np.ndarray | jax.Array) else targets
    return Explainer(build_method(method), model, question.variables, images, classes, *rest)


def _answer(values: Any, parts: Any, gone: np.ndarray, details: bool) -> Any:
    found = np.where(gone, np.nan, np.asarray(values, np.float64))
    return Measured(found, None if isinstance(parts, tuple) else np.asarray(parts)) if details else found
