"""Attribution maps: which pixels the network's output depends on, by several methods side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
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
from cnnviz.pictures.attribution_page import WORDS, Explained, Matrix, row_titles, target_words
from cnnviz.pictures.averaged import COPIES, by_regions, over_copies
from cnnviz.pictures.choices import target_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.finite import with_parameters_said
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.picture import Data, Kind, Picture, Sample, Skipped
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.samples import known, samples
from cnnviz.pictures.two_classes import per_class
from cnnviz.registry import spelled

SCALES = ("own", "shared")
USUAL = "grad_cam,integrated_gradients,smooth_grad"
MOST_COLUMNS, BASELINE = 8, 50


@dataclass(frozen=True)
class Attributions(OfImage, OfLayer, Kind):
    """Attribution maps: which pixels the output depends on, one row per image and one column per method."""

    FIRST: ClassVar[str] = "0:8"

    methods: str = USUAL
    """Methods with commas between them, or all. Options go after a colon: "smooth_grad:samples=20,noise=0.1;lrp"."""
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

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        return [picture for net in networks for picture in self.of(net, data, report)]

    def of(self, net: Net, data: Data, report: Report | None) -> list[Picture]:
        """Grids of one row per image and one column per method, at most eight methods each.

        For a run of several members each method has a column of means and one of standard deviations over the members.
        Raises Skipped if no method can explain the model, InputError if an option is not valid.
        """
        check_known("scale", self.scale, SCALES)
        if self.layer is not None:
            net.find(self.layer)
        asked = samples(self, net, data)
        built = self.built(net, data)
        most = affordable(net, len(asked), passes(built) * len(net.members) * (COPIES if self.augment else 1))
        chosen = asked[:most] if self.chosen == self.FIRST else asked
        pixels = np.stack([one.pixels for one in chosen])
        images, labels = net.prepare(pixels), self.labels(chosen)
        p = probabilities(net, images)
        names = class_names(net, known(data), p.shape[-1])
        # one class per image for all members, so that their maps are of the same thing
        targets = p.argmax(-1) if self.target == "predicted" else target_of(self.target, names)
        question = {"images": images, "targets": targets, "labels": labels}
        explained, left_out = self.explained(net, built, question, self.drawn_from(built, net, data), report)
        if not explained:
            raise Skipped(" ".join(left_out.values()))
        if self.regions:
            explained = {name: by_regions(found, pixels) for name, found in explained.items()}
        if len(chosen) < len(asked):
            left_out[f"{len(asked) - len(chosen)} of {len(asked)} images"] = "This large network would take hours."
        words = self.target if self.target in WORDS else targets
        page = Matrix(
            self, net, known(data), chosen, target_words(words, names), row_titles(p, chosen, names), left_out
        )
        return with_parameters_said([page.picture(part) for part in in_parts(explained)], net)

    def labels(self, chosen: Sequence[Sample]) -> Int[np.ndarray, " n"]:
        """The labels of the images, -1 where there is none; raises InputError if they are explained and one lacks."""
        unknown = [one.title for one in chosen if one.label is None]
        if unknown and "label" in self.target.replace(" ", "").split(","):
            raise InputError(f"{unknown[0]} has no label to explain; the target is predicted, or a class.")
        return np.array([-1 if one.label is None else one.label for one in chosen])

    def explained(
        self,
        net: Net,
        built: Mapping[str, Method],
        asked: Mapping[str, Any],
        drawn_from: Any = None,
        report: Report | None = None,
    ) -> tuple[dict[str, Explained], dict[str, str]]:
        """Each method's maps for every member, and the reason for each method that is left out.

        Methods that do not apply to the model are left out of the default methods and of `all`; one that was asked for
        by name raises InputError.
        """
        found, left_out = {}, {}
        for place, (name, method) in enumerate(built.items()):
            try:
                found[name] = self.of_members(method, net, drawn_from, part(report, place, len(built), name), **asked)
            except InputError as error:
                if self.methods not in (USUAL, "all"):
                    raise
                left_out[name] = str(error)
        return found, left_out

    def of_members(
        self, method: Method, net: Net, drawn_from: Any, report: Report | None, **of_images: Any
    ) -> Explained:
        """One method's maps for every member."""
        how = over_copies if self.augment else partial(attribute, details=True)
        ask = partial(how, method, net.model, key=jax.random.key(self.seed), data=drawn_from)
        asks = [partial(ask, report=part(report, i, len(net.members))) for i in range(len(net.members))]
        pairs = zip(asks, net.members, strict=True)
        return stacked(method, [per_class(one, net, own, **of_images) for one, own in pairs])

    def drawn_from(self, built: Mapping[str, Method], net: Net, data: Data) -> Any:
        """Training images if a method's infill is "data", else None."""
        values = [getattr(method, field.name) for method in built.values() for field in fields(method)]
        needed = any(isinstance(value, str) and value == "data" for value in values)
        return training_images(net, data) if needed else None

    def built(self, net: Net, data: Data) -> dict[str, Method]:
        """The methods with the layer of the options, if they take one, and with training images as their baseline."""
        found = {}
        for label, name, own in spelled(",".join(METHODS) if self.methods == "all" else self.methods):
            method = build(name, **own)
            known = {field.name for field in fields(method)} - own.keys()
            options: dict[str, Any] = {}
            if self.layer is not None and "layers" in known:
                options["layers"] = self.layer
            for baseline in set(image_sets(method)) - own.keys():
                options[baseline] = training_images(net, data)
            found[label] = build(method, **options)
        return found


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
    """The methods in groups of at most eight, in order."""
    names = list(explained)
    size = MOST_COLUMNS
    return [{name: explained[name] for name in names[i : i + size]} for i in range(0, len(names), size)]
