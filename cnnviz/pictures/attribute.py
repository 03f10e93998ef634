"""Attribution maps: which pixels the network's output depends on, by several methods side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Int

from cnnviz import probe
from cnnviz.attribution import METHODS, Attribution, attribute, build
from cnnviz.attribution.shapes import Method, image_sets
from cnnviz.batching import Report, part
from cnnviz.errors import InputError, check_known
from cnnviz.networks import Net
from cnnviz.networks.probabilities import probabilities as probabilities_of
from cnnviz.pictures.attribution_page import (
    WORDS,
    Explained,
    Matrix,
    left_out_notes,
    named_fault,
    row_titles,
    target_words,
)
from cnnviz.pictures.averaged import COPIES, by_regions, over_copies
from cnnviz.pictures.choices import ONE_MAP, target_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.finite import with_parameters_said
from cnnviz.pictures.kept_channels import AskedMethod, kept
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.picture import Data, Kind, Picture, Sample, Skipped
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.samples import known, samples
from cnnviz.pictures.several_inputs import alone, explained_inputs, input_shape, inputs_in, shown_to
from cnnviz.pictures.two_classes import per_class
from cnnviz.probe.inputs import named_leaves
from cnnviz.registry import spelled

SCALES = ("own", "shared")
USUAL = "grad_cam,integrated_gradients,smooth_grad"
MOST_COLUMNS, BASELINE = 8, 50


@dataclass(frozen=True)
class Attributions(OfImage, OfLayer, Kind):
    """Attribution maps: which pixels the output depends on, one row per image and one column per method."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {
        *("methods", "target", "scale", "overlay", "regions", "augment", "inputs", "input")
    }
    FIRST: ClassVar[str] = "0:8"

    methods: str = USUAL
    """Methods with commas between them, or all. Options go after a colon: "smooth_grad:samples=20,noise=0.1;lrp";
    of any method also at=LAYER and channels=keep."""
    target: str = "predicted"
    """What is explained: predicted, label, a class by name or number, or two with a comma (why this and not that)."""
    scale: str = "own"
    """own: each map on its own scale, whose end is printed under it; shared: all maps of a method on one."""
    overlay: bool = False
    """Draw the maps over the images, in gray."""
    regions: bool = False
    """Give every pixel the mean of its region of the image, as XRAI does (needs cnnviz[segments])."""
    augment: bool = False
    """Average each map over six copies of the image: mirrored, brighter and darker ones."""
    seed: int = 0
    """The key of methods that draw at random."""
    inputs: Path | None = None
    """Of a network with several inputs: an .npz file with an array for each, one row per image; --image is the row."""
    input: str | None = None
    """The one of several inputs that is explained, by its name; by default each of them, in a picture of its own."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        return [picture for net in networks for picture in self.of(net, data, report)]

    def of(self, net: Net, data: Data, report: Report | None) -> list[Picture]:
        """Grids of one row per image and one column per method, at most eight methods each, for each input.

        For a run of several members each method has a column of means and one of standard deviations over the members.
        Raises Skipped if no method can explain the model, InputError if an option is not valid.
        """
        check_known("scale", self.scale, SCALES)
        if self.layer is not None:
            net.find(self.layer)
        names = explained_inputs(net, self.inputs, self.input)
        if names[0] is not None and (self.regions or self.augment):
            raise InputError("--regions and --augment are for networks of one input; leave them out.")
        asked = samples(self, net, data) if self.inputs is None else inputs_in(self.inputs, self.chosen, net)
        parts = [part(report, i, len(names), name or "") for i, name in enumerate(names)]
        found, reasons = [], []
        for name, own in zip(names, parts, strict=True):
            try:
                found += self.of_input(name, asked, net, data, own)
            except Skipped as reason:
                reasons.append(str(reason))
        if not found:
            raise Skipped(" ".join(dict.fromkeys(reasons)))
        for reason in reasons:
            data.note(f"left out: {reason}")
        return with_parameters_said(found, net)

    def of_input(
        self, name: str | None, asked: Sequence[Sample], net: Net, data: Data, report: Report | None
    ) -> list[Picture]:
        """The grids of one of several inputs, or of the only one."""
        asked_methods = self.asked_methods(net, data, name)
        built = {label: one.method for label, one in asked_methods.items()}
        most = affordable(net, len(asked), passes(built) * len(net.members) * (COPIES if self.augment else 1))
        chosen = asked[:most] if self.chosen == self.FIRST else asked
        images, labels = shown_to(net, chosen), self.labels(chosen)
        p = probabilities(net, images)
        names = class_names(net, known(data), p.shape[-1])
        # one class per image for all members, so that their maps are of the same thing
        targets = p.argmax(-1) if self.target == "predicted" else target_of(self.target, names)
        question = {"images": images, "targets": targets, "labels": labels}
        given = {"input": name} if name else {"data": self.drawn_from(built, net, data)}
        explained, left_out = self.explained(net, asked_methods, question, given, report)
        if not explained:
            raise Skipped((f"Input {name!r}: " if name else "") + " ".join(dict.fromkeys(left_out.values())))
        for note in left_out_notes(left_out):
            data.note(f"input {name!r}, {note}" if name else note)
        if self.regions:
            pixels = np.stack([one.pixels for one in chosen])
            explained = {title: by_regions(found, pixels) for title, found in explained.items()}
        if len(chosen) < len(asked):
            left_out[f"{len(asked) - len(chosen)} of {len(asked)} images"] = "This large network would take hours."
        words = target_words(self.target if self.target in WORDS else targets, names)
        drawn = chosen if name is None else alone(chosen, name)
        page = Matrix(self, net, known(data), drawn, words, row_titles(p, chosen, names), left_out, name)
        return [page.picture(part) for part in in_parts(explained)]

    def labels(self, chosen: Sequence[Sample]) -> Int[np.ndarray, " n"]:
        """The labels of the images, -1 where there is none; raises InputError if they are explained and one lacks."""
        unknown = [one.title for one in chosen if one.label is None]
        if unknown and "label" in self.target.replace(" ", "").split(","):
            raise InputError(f"{unknown[0]} has no label to explain; the target is predicted, or a class.")
        return np.array([-1 if one.label is None else one.label for one in chosen])

    def explained(
        self,
        net: Net,
        built: Mapping[str, AskedMethod],
        asked: Mapping[str, Any],
        given: Mapping[str, Any],
        report: Report | None = None,
    ) -> tuple[dict[str, Explained], dict[str, str]]:
        """Each method's maps of an input for every member, and the reason for each method that is left out.

        Methods that do not apply to the model are left out of the default methods and of `all`, and where each of
        several inputs is explained; any other that was asked for by name raises InputError.
        """
        may_lack = self.methods in (USUAL, "all") or (self.inputs is not None and self.input is None)
        found, left_out = {}, {}
        side = input_shape(net, given.get("input"))[:-1]
        for place, (title, one) in enumerate(built.items()):
            own = part(report, place, len(built), title)
            try:
                found[title] = self.of_members(one.method, net, {**given, **one.given}, own, **asked)
                if one.channels == "keep":
                    found[title] = kept(title, found[title], net, side)
            except InputError as error:
                if not may_lack:
                    raise named_fault(title, error) from error
                left_out[title] = str(error)
        return found, left_out

    def of_members(
        self, method: Method, net: Net, given: Mapping[str, Any], report: Report | None, **of_images: Any
    ) -> Explained:
        """One method's maps of an input for every member; `given` are further arguments of `attribute`."""
        how = over_copies if self.augment else partial(attribute, details=True)
        ask = partial(how, method, net.model, key=jax.random.key(self.seed), **given)
        asks = [partial(ask, report=part(report, i, len(net.members))) for i in range(len(net.members))]
        pairs = zip(asks, net.members, strict=True)
        return stacked(method, [per_class(one, net, own, **of_images) for one, own in pairs])

    def drawn_from(self, built: Mapping[str, Method], net: Net, data: Data) -> Any:
        """Training images if a method's infill is "data", else None."""
        every = [one for method in built.values() for one in (method, getattr(method, "base", None)) if one is not None]
        values = [getattr(method, field.name) for method in every for field in fields(method)]
        needed = any(isinstance(value, str) and value == "data" for value in values)
        return training_images(net, data) if needed else None

    def built(self, net: Net, data: Data) -> dict[str, Method]:
        """The methods of `asked_methods`, each of which has one map; raises InputError if maps by channel are asked."""
        every = self.asked_methods(net, data)
        if wrong := [label for label, one in every.items() if one.channels is not None]:
            raise InputError(f"{wrong[0]}: {ONE_MAP}")
        return {label: one.method for label, one in every.items()}

    def asked_methods(self, net: Net, data: Data, name: str | None = None) -> dict[str, AskedMethod]:
        """The methods with the layer of the options, if they take one, and with training images as their baseline.

        The baseline of one of several inputs are the rows of its file.
        """
        found = {}
        for label, asked, own in spelled(",".join(METHODS) if self.methods == "all" else self.methods):
            at, channels = own.pop("at", None), own.pop("channels", None)
            method = build(asked, **own)
            known = {field.name for field in fields(method)} - own.keys()
            options: dict[str, Any] = {}
            if self.layer is not None and "layers" in known:
                options["layers"] = self.layer
            for baseline in set(image_sets(method)) - own.keys():
                options[baseline] = self.baseline(net, data, name)
            found[label] = AskedMethod.of(label, build(method, **options), net, at, channels, name)
        return found

    def baseline(self, net: Net, data: Data, name: str | None) -> Any:
        """The first training images, or rows of the file of inputs, as the network takes them."""
        if self.inputs is None or name is None:
            return training_images(net, data)
        return named_leaves(shown_to(net, inputs_in(self.inputs, f"0:{BASELINE}", net)))[name]


def training_images(net: Net, data: Data) -> Any:
    """Training images as the network takes them, which baselines and the infill "data" are drawn from."""
    return net.prepare(data.of(net).train.images[:BASELINE])


def passes(methods: Mapping[str, Method]) -> int:
    """About how often these methods evaluate the network for one image; a gradient counts as three times."""
    return 3 * sum(getattr(method, "samples", getattr(method, "steps", 1)) for method in methods.values())


def probabilities(net: Net, images: Any) -> np.ndarray:
    """Each image's class probabilities `[n k]`, averaged over the members; raises Skipped for one output."""
    if net.class_count < 2:
        raise Skipped(f"{net.name} has one output, so there are no classes to explain.")
    logits = [np.asarray(probe.logits(net.model, member, images)) for member in net.members]
    return np.mean([probabilities_of(values, net.ending) for values in logits], 0)


def stacked(method: Method, every: Sequence[Attribution]) -> Explained:
    """One method's attributions of every member, stacked along a new first axis."""
    parts = (jax.tree.map(lambda *each: np.stack(each), *part) for part in zip(*every, strict=True))
    return Explained(method, *parts)


def in_parts(explained: Mapping[str, Explained]) -> list[dict[str, Explained]]:
    """The methods in groups of at most eight columns, each in the first that has room for all its channels."""
    parts: list[dict[str, Explained]] = []
    count = lambda part: sum(len(list(found.columns(name))) for name, found in part.items())
    for name, found in explained.items():
        fit = next((part for part in parts if count(part) + count({name: found}) <= MOST_COLUMNS), None)
        if fit is None:
            parts.append(fit := {})
        fit[name] = found
    return parts
