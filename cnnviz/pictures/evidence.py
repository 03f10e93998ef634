"""The numbers behind a table of methods and metrics: every map is computed once, and what is computed is kept."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property, partial
from pkgutil import resolve_name
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.attribution.shapes import Method, image_sets
from cnnviz.batching import Report, part
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.metrics.controls import CONTROLS
from cnnviz.metrics.evidence import Evidence
from cnnviz.metrics.explainer import Control, Explainer
from cnnviz.metrics.measuring import Measured, as_maps, build, measure, measured_by
from cnnviz.metrics.members import OfMembers
from cnnviz.metrics.metrics import METRICS
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.shapes import Metric, OfMap
from cnnviz.networks import Net
from cnnviz.pictures.attribute import USUAL, Attributions, probabilities, training_images
from cnnviz.pictures.attribution_page import left_out_notes, named_fault, options_of
from cnnviz.pictures.choices import numbers_of, target_of
from cnnviz.pictures.kept import Kept, digest
from cnnviz.pictures.picture import Data, split_of
from cnnviz.pictures.predictions import class_names
from cnnviz.registry import spelled

USUAL_METRICS, FIRST = "insertion,deletion,road,mprt", "0:100"
AT_ONCE = 8  # methods whose maps are in memory together


@dataclass(frozen=True)
class Asked:
    """What a table is asked for, as it was typed; None is the default."""

    methods: str | None
    metrics: str | None
    images: str | None
    split: str
    target: str | None
    seed: int

    def places(self, count: int) -> list[int]:
        """The numbers of the images; raises InputError for other texts, and for an image that is not there."""
        usual = FIRST if count >= 100 else "0:"
        return numbers_of(self.images or usual, count)


@dataclass(frozen=True)
class Subject:
    """The network and the images of a table: `images` as floats, and the class `targets [n]` that is explained."""

    asked: Asked
    net: Net
    dataset: Dataset
    places: list[int]
    pixels: np.ndarray
    images: Any
    labels: Int[np.ndarray, " n"]
    said: Int[np.ndarray, " n"]
    targets: Int[np.ndarray, " n"]

    @classmethod
    def of(cls, asked: Asked, net: Net, data: Data) -> "Subject":
        """The subject that is asked for; raises Skipped without a data set, InputError for images or a target."""
        dataset = data.of(net)
        split = split_of(dataset, asked.split)
        places = asked.places(len(split.images))
        pixels, labels = split.images[places], np.asarray(split.labels)[places].astype(np.int32)
        images = net.prepare(pixels)
        p = probabilities(net, images)
        said = p.argmax(-1).astype(np.int32)
        named = target_of(asked.target or "predicted", class_names(net, dataset, p.shape[-1]))
        if isinstance(named, tuple):
            raise InputError(f"A table explains one class of each image; the target was {asked.target!r}.")
        classes = {"predicted": said, "label": labels}.get(str(named))
        targets = np.full(len(images), named, np.int32) if classes is None else classes
        return cls(asked, net, dataset, places, pixels, images, labels, said, targets)

    @property
    def key(self) -> Any:
        """The key of everything that draws at random."""
        return jax.random.key(self.asked.seed)

    def explainer(self, method: Any, member: int) -> Explainer:
        """A method, or the name of a control, asked about these images."""
        given = self.net.model, self.net.members[member], self.images, self.targets, self.key
        if isinstance(method, str):
            return Control(CONTROLS[method], *given)
        return Explainer(method, *given, options={"data": self.drawn_from})

    @cached_property
    def drawn_from(self) -> Any:
        """Training images, for the infill "data"."""
        return training_images(self.net, Data(lambda: self.dataset))

    @cached_property
    def drawn_from_digest(self) -> str:
        """The SHA-256 of those training images."""
        return digest(np.asarray(self.drawn_from))

    def kept(self) -> Kept:
        """Where the numbers are kept: in the run's folder, if it is a run."""
        variables = [digest(*map(np.asarray, jax.tree.leaves(member))) for member in self.net.members]
        about = {"cnnviz": resolve_name("cnnviz:__version__"), "variables": variables, "seed": self.asked.seed}
        about |= {"output": self.net.output} if self.net.output else {}
        about |= {"images": digest(np.asarray(self.images)), "targets": digest(self.targets)}
        return Kept(None if self.net.path is None else self.net.path / "evidence", about)


@dataclass(frozen=True)
class Found:
    """The table's numbers, the curves by metric and method, numbers of members, and the methods that are left out."""

    evidence: Evidence
    built: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    curves: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    of_members: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def gathered(subject: Subject, data: Data, report: Report | None) -> Found:
    """The numbers of all methods, the controls among them, by all metrics.

    Methods that do not apply to the model are left out of the default methods and of `all`, and metrics of several
    networks are left out of `all` for one. Raises InputError for others, and if no method is left.
    """
    asked, net = subject.asked, subject.net
    methods: dict[str, Any] = dict(Attributions(methods=asked.methods or USUAL).built(net, data))
    methods |= {name: name for name in CONTROLS}
    metrics, left_out = _metrics(asked, net)
    values, curves, agreed, kept = {}, {}, {}, subject.kept()
    for first in range(0, len(methods), AT_ONCE):
        together = Together(subject, kept, dict([*methods.items()][first : first + AT_ONCE]))
        for place, name in enumerate(together.methods, first):
            try:
                told = part(report, place, len(methods), name)
                values[name] = _row(together, name, metrics, (curves, agreed, left_out), told)
            except InputError as error:
                if asked.methods not in (None, "all"):
                    raise named_fault(name, error) from error
                left_out[name] = str(error)
    if not values.keys() - CONTROLS.keys():
        raise InputError(" ".join(dict.fromkeys(left_out.values())))
    for note in left_out_notes(left_out):
        data.note(note)
    single = [label for label, metric in metrics.items() if not isinstance(metric, OfMembers)]
    better = [metrics[label].better for label in single]
    numbers = np.stack([values[name] for name in values])
    evidence = Evidence(tuple(values), tuple(single), numbers, better, tuple(CONTROLS))
    return Found(evidence, methods, metrics, curves, agreed, left_out)


def _metrics(asked: Asked, net: Net) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics by label, and the reason for each that is left out."""
    texts = ",".join(METRICS) if asked.metrics == "all" else asked.metrics or USUAL_METRICS
    every = {label: build(name, **own) for label, name, own in spelled(texts)}
    lacking = {
        label: f"{type(metric).__name__} compares networks that were trained alike; {net.name} is one network, and a "
        "run of several is made by train.py --seeds 3."
        for label, metric in every.items()
        if isinstance(metric, OfMembers) and len(net.members) < 2
    }
    if lacking and asked.metrics != "all":
        raise InputError(next(iter(lacking.values())))
    return {label: metric for label, metric in every.items() if label not in lacking}, lacking


def _row(
    together: "Together",
    name: str,
    metrics: Mapping[str, Metric],
    found: tuple[dict[str, dict[str, np.ndarray]], dict[str, dict[str, float]], dict[str, str]],
    report: Report | None,
) -> np.ndarray:
    """One method's numbers `[metrics members n]`.

    Its curves and numbers of members are put into `found`, with the metrics of members that these images do not allow.
    """
    (curves, agreed, left_out), subject, rows = found, together.subject, []
    for place, (label, metric) in enumerate(metrics.items()):
        told = part(report, place, len(metrics), label)
        if isinstance(metric, OfMembers):
            try:
                number = _of_members(metric, subject, [each() for each in together.maps[name]])
                agreed.setdefault(label, {})[name] = number
            except InputError as error:
                if subject.asked.metrics != "all":
                    raise
                left_out[label] = str(error)
            continue
        every = []
        for member in range(len(subject.net.members)):
            what = described(subject, name, together.methods[name], label, metric, member)
            every.append(together.kept.get(what, partial(together.numbers, name, label, metric, member, told)))
        rows.append(np.stack([each["values"] for each in every]))
        if getattr(metric, "curved", False):
            curves.setdefault(label, {})[name] = np.concatenate([each["parts"] for each in every])
    return np.stack(rows) if rows else np.zeros((0, len(subject.net.members), len(subject.images)))


def _once(compute: Callable[[], Any]) -> Callable[[], np.ndarray]:
    """The maps of a method, computed when they are first needed."""
    return cache(lambda: np.asarray(compute()))


class Together:
    """The numbers of some methods, whose maps are computed once.

    Metrics that perturb images alike whatever the map is (`OfMap.shared`) measure all of them in one go.
    """

    def __init__(self, subject: Subject, kept: Kept, methods: Mapping[str, Any]):
        self.subject, self.kept, self.methods = subject, kept, methods
        members = range(len(subject.net.members))
        self.maps = {name: [_once(subject.explainer(of, i).maps) for i in members] for name, of in methods.items()}
        self.ahead: dict[tuple[str, int], dict[str, Measured]] = {}

    def numbers(self, name: str, label: str, metric: Metric, member: int, report: Report | None) -> dict[str, Any]:
        """The numbers of a method by a metric and their parts, if it has such, for one member."""
        options = {"key": self.subject.key, "details": True, "undefined": "nan", "report": report}
        if isinstance(metric, OfMethod):
            explainer, key = self.subject.explainer(self.methods[name], member), options.pop("key")
            found = measured_by(metric, explainer, self.maps[name][member](), key, **options)
        else:
            ahead = self.ahead.setdefault((label, member), {})
            if name not in ahead:
                net, images = self.subject.net, self.subject.images
                given = net.model, net.members[member], images, self.subject.targets
                maps = self._maps(name, label, metric, member)
                ahead |= measure(metric, *given, maps, data=self.subject.drawn_from, **options)
            found = ahead.pop(name)
        return {"values": found.values} | ({} if found.parts is None else {"parts": found.parts})

    def _maps(self, name: str, label: str, metric: Metric, member: int) -> dict[str, Any]:
        """The maps of a method and, if it takes no longer, of those others that are still to be measured."""
        found = {name: self.maps[name][member]()}
        for other, method in self.methods.items() if isinstance(metric, OfMap) and metric.shared else ():
            path = self.kept.path(described(self.subject, other, method, label, metric, member))
            if other == name or (path is not None and path.is_file()):
                continue
            try:
                found[other] = as_maps(self.maps[other][member](), self.subject.images.shape)
            except InputError:  # is raised when it is that method's turn
                continue
        return found


def _of_members(metric: OfMembers, subject: Subject, maps: Sequence[np.ndarray]) -> float:
    said = [probabilities(subject.net.only(i), subject.images).argmax(-1) for i in range(len(maps))]
    return metric(np.stack(maps), np.stack(said), subject.labels)


def described(subject: Subject, name: str, method: Any, label: str, metric: Metric, member: int) -> dict[str, Any]:
    """What the numbers of one method by one metric are kept under (`Kept.path`)."""
    options = {} if isinstance(method, str) else _described(method)
    found = {"method": name, "options": options, "metric": label, "choices": _described(metric), "member": member}
    return found | ({"data": subject.drawn_from_digest} if uses_data(method) or uses_data(metric) else {})


def uses_data(one: Any) -> bool:
    """Whether a method or metric draws from training images: by the infill "data", or as a set that was given to it."""
    if not isinstance(one, Method):
        return False
    values = [getattr(one, field.name) for field in fields(one)]
    named = any(isinstance(value, str) and value == "data" for value in values)
    return named or any(np.ndim(getattr(one, name)) > 0 for name in image_sets(one)) or any(map(uses_data, values))


def _described(one: Method) -> str:
    return json.dumps(options_of(one), sort_keys=True, default=str)


def subject_of(subject: Subject, found: Found) -> dict[str, Any]:
    """What all pictures of a table are of."""
    image = {"dataset": subject.dataset.name, "split": subject.asked.split, "index": subject.places}
    methods = [name for name in found.evidence.methods if name not in found.evidence.controls]
    return {
        "network": subject.net.name,
        "image": image,
        "target": subject.asked.target or "predicted",
        "method": methods,
    }


def order(found: Found) -> list[int]:
    """The methods by their mean rank, then the controls."""
    evidence = found.evidence
    last = [evidence.methods[i] in evidence.controls for i in range(len(evidence.methods))]
    rank = np.nan_to_num(evidence.mean_ranks, nan=np.inf)
    return sorted(range(len(evidence.methods)), key=lambda i: (last[i], rank[i]))
