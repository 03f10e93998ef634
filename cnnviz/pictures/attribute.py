"""Attribution maps: which pixels the network's output depends on, by several methods side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pkgutil import resolve_name
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Int

from cnnviz import probe
from cnnviz.attribution import METHODS, Attribution, attribute, build
from cnnviz.attribution.shapes import Method, image_sets
from cnnviz.batching import Report, part
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.finite import finite
from cnnviz.figures.scales import scale_of
from cnnviz.networks import Net
from cnnviz.networks.probabilities import probabilities as probabilities_of
from cnnviz.pictures.choices import target_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.picture import SIDES, Data, Kind, Picture, Sample, Skipped, shown_channel
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.samples import known, samples
from cnnviz.pictures.slices import middle
from cnnviz.pictures.two_classes import per_class

WORDS = {"predicted": "the predicted class", "label": "the true class"}
USUAL = "grad_cam,integrated_gradients,smooth_grad"
MOST_COLUMNS, BASELINE = 8, 50


@dataclass(frozen=True)
class Explained:
    """One method's results for m members and n images: `maps [m n h w]`, `layers` by name, `gap [m n]` or None."""

    method: Method
    maps: np.ndarray
    layers: Mapping[str, np.ndarray]
    gap: np.ndarray | None


@dataclass(frozen=True)
class Attributions(OfImage, OfLayer, Kind):
    """Attribution maps: which pixels the output depends on, one row per image and one column per method."""

    FIRST: ClassVar[str] = "0:8"

    methods: str = USUAL
    """Methods with commas between them, or all."""
    target: str = "predicted"
    """What is explained: predicted, label, a class by name or number, or two with a comma (why this and not that)."""
    seed: int = 0
    """The key of methods that draw at random."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        return [picture for net in networks for picture in self.of(net, data, report)]

    def of(self, net: Net, data: Data, report: Report | None) -> list[Picture]:
        """Grids of one row per image and one column per method, at most eight methods each.

        For a run of several members each method has a column of means and one of standard deviations over the members.
        Raises Skipped if no method can explain the model, InputError if an option is not valid.
        """
        if self.layer is not None:
            net.find(self.layer)
        asked = samples(self, net, data)
        built = self.built(net, data)
        most = affordable(net, len(asked), passes(built) * len(net.members))
        chosen = asked[:most] if self.chosen == self.FIRST else asked
        images, labels = net.prepare(np.stack([one.pixels for one in chosen])), self.labels(chosen)
        p = probabilities(net, images)
        names = class_names(net, known(data), p.shape[-1])
        # one class per image for all members, so that their maps are of the same thing
        targets = p.argmax(-1) if self.target == "predicted" else target_of(self.target, names)
        explained, left_out = self.explained(net, built, images, targets, labels, report)
        if not explained:
            raise Skipped(" ".join(left_out.values()))
        if len(chosen) < len(asked):
            left_out[f"{len(asked) - len(chosen)} of {len(asked)} images"] = "This large network would take hours."
        page = Page(self, net, known(data), chosen, row_titles(p, chosen, names), left_out)
        parts = in_parts(explained)
        return [page.matrix(part, numbered=len(parts) > 1) for part in parts]

    def labels(self, chosen: Sequence[Sample]) -> Int[np.ndarray, " n"]:
        """The labels of the images, -1 where there is none; raises InputError if they are explained and one lacks."""
        unknown = [one.title for one in chosen if one.label is None]
        if unknown and "label" in self.target.replace(" ", "").split(","):
            raise InputError(f"{unknown[0]} has no label to explain; the target is predicted, or a class.")
        return np.array([-1 if one.label is None else one.label for one in chosen])

    def explained(
        self, net: Net, built: Mapping[str, Method], images: Any, targets: Any, labels: Any, report: Report | None
    ) -> tuple[dict[str, Explained], dict[str, str]]:
        """Each method's maps for every member, and the reason for each method that is left out.

        Methods that do not apply to the model are left out of the default methods and of `all`; one that was asked for
        by name raises InputError.
        """
        found, left_out = {}, {}
        of_images = {"images": images, "targets": targets, "labels": labels}
        for place, (name, method) in enumerate(built.items()):
            try:
                found[name] = self.of_members(method, net, part(report, place, len(built), name), **of_images)
            except InputError as error:
                if self.methods not in (USUAL, "all"):
                    raise
                left_out[name] = str(error)
        return found, left_out

    def of_members(self, method: Method, net: Net, report: Report | None, **of_images: Any) -> Explained:
        """One method's maps for every member."""
        ask = partial(attribute, method, net.model, key=jax.random.key(self.seed), details=True)
        asks = [partial(ask, report=part(report, i, len(net.members))) for i in range(len(net.members))]
        pairs = zip(asks, net.members, strict=True)
        return stacked(method, [per_class(one, net, own, **of_images) for one, own in pairs])

    def built(self, net: Net, data: Data) -> dict[str, Method]:
        """The methods with the layer of the options, if they take one, and with training images as their baseline."""
        names = list(METHODS) if self.methods == "all" else [name.strip() for name in self.methods.split(",")]
        found = {}
        for name in names:
            method = build(name)
            known = {field.name for field in fields(method)}
            options: dict[str, Any] = {}
            if self.layer is not None and "layers" in known:
                options["layers"] = self.layer
            for baseline in image_sets(method):
                options[baseline] = net.prepare(data.of(net).train.images[:BASELINE])
            found[name] = build(method, **options)
        return found


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
    maps, layers, gaps = (jax.tree.map(lambda *each: np.stack(each), *part) for part in zip(*every, strict=True))
    return Explained(method, maps, layers, gaps)


def in_parts(explained: Mapping[str, Explained]) -> list[dict[str, Explained]]:
    """The methods in groups of at most eight, in order."""
    names = list(explained)
    size = MOST_COLUMNS
    return [{name: explained[name] for name in names[i : i + size]} for i in range(0, len(names), size)]


@dataclass(frozen=True)
class Page:
    """What all pictures of one call share."""

    asked: Attributions
    net: Net
    dataset: Dataset | None
    chosen: Sequence[Sample]
    rows: list[str]
    left_out: Mapping[str, str]

    def matrix(self, explained: Mapping[str, Explained], numbered: bool) -> Picture:
        """One picture of at most eight methods; its numbers are the raw maps and a `manifest` that describes them."""
        asked, net = self.asked, self.net
        images = np.stack([one.pixels for one in self.chosen])
        what = WORDS.get(asked.target, asked.target)
        title = f"{net.name} on {self.shown}: what {what} rests on"
        columns, sides = columns_of(explained), SIDES[images.ndim - 2]
        numbers = {"manifest": np.array(json.dumps(self.manifest(explained))), "images": images}
        for name, found in explained.items():
            numbers |= {name: found.maps} | {f"{name}.{layer}": values for layer, values in found.layers.items()}
            numbers |= {f"{name}.gap": found.gap} if found.gap is not None else {}
        stem = f"attribute_{next(iter(explained))}" if numbered else "attribute"
        pixels, drawn, sliced = images, columns, ""
        if len(sides) == 3:
            pixels, sliced = middle(images, 1)
            drawn = {name: column._replace(maps=middle(column.maps, 1).values) for name, column in columns.items()}
        draw = partial(attributions, pixels, self.rows, drawn, title=title)
        subject = {"network": net.name, "image": self.subject, "method": list(explained)}
        axes = dict.fromkeys(explained, ("member", "image", *sides))
        caption = caption_of(columns, explained, self.left_out) + sliced + shown_channel(images[0])
        return Picture(stem, title, caption, numbers, draw, subject, axes)

    @property
    def shown(self) -> str:
        """The images in words."""
        own = [one.title for one in self.chosen if one.original is not None]
        count = len(self.chosen) - len(own)
        title = self.dataset.title if self.dataset else ""
        ours = [f"{count} {self.asked.split} image{'s' * (count > 1)} of {title}"] if count else []
        return " and ".join(ours + (own if len(own) < 3 else [f"{len(own)} pictures"]))

    @property
    def subject(self) -> dict[str, Any]:
        """The images as a picture's subject names them: by their numbers, or by their files."""
        places = [one.subject for one in self.chosen]
        index, files = ([place[key] for place in places if key in place] for key in ("index", "file"))
        numbered = {**places[0], "index": index} if index and not files else {"index": index} if index else {}
        return numbered | ({"file": files} if files else {})

    def manifest(self, explained: Mapping[str, Explained]) -> dict[str, Any]:
        """Everything needed to reproduce the maps."""
        asked, dataset = self.asked, self.dataset
        data = {"name": dataset.name, "fingerprint": dataset.fingerprint, "split": asked.split} if dataset else None
        return {
            "cnnviz": resolve_name("cnnviz:__version__"),
            "run": self.net.name,
            "dataset": data,
            "images": [one.subject.get("index", one.subject.get("file")) for one in self.chosen],
            "target": asked.target,
            "seed": asked.seed,
            "axes": ", ".join(("member", "image", *SIDES[len(self.net.image_shape) - 1])),
            "methods": {
                name: options_of(found.method) | {"at": list(found.layers)} for name, found in explained.items()
            },
        }


def options_of(method: Method) -> dict[str, Any]:
    """The method's options for JSON; arrays and methods are replaced by the names of their types."""
    plain = lambda value: value if isinstance(value, str | int | float | tuple | None) else type(value).__name__
    return {field.name: plain(getattr(method, field.name)) for field in fields(method)}


def columns_of(explained: Mapping[str, Explained]) -> dict[str, Column]:
    """One column per method, headed by its name and layers; of several members also their standard deviation."""
    columns = {}
    for name, found in explained.items():
        heading = name + (f"\nat {', '.join(found.layers)}" if found.layers else "")
        mean = found.maps.mean(0)
        notes = [] if found.gap is None else [gap_of(float(gap)) for gap in found.gap.mean(0)]
        columns[heading] = Column(mean, scale_of(mean), notes)
        if len(found.maps) > 1:
            deviation = found.maps.std(0, ddof=1)
            columns[f"{name}\nsd of {len(found.maps)} seeds"] = Column(deviation, scale_of(deviation))
    return columns


def gap_of(gap: float) -> str:
    """A completeness gap as the note under a map."""
    return f"gap {gap:+.2g}".replace("-", "−") if np.isfinite(gap) else "gap NaN or infinite"


def caption_of(columns: Mapping[str, Column], explained: Mapping[str, Explained], left_out: Mapping[str, str]) -> str:
    """What the colors and the gaps mean, and what is clipped or left out."""
    beyond = sum(column.scale.outside(column.maps) for column in columns.values())
    total = sum(column.maps.size for column in columns.values())
    words = [f"Raw values, each column on its own scale; {beyond:,} of {total:,} are clipped."]
    if left := total - sum(finite(column.maps).size for column in columns.values()):
        words.append(f"{left:,} of {total:,} values are NaN or infinite.")
    if any(found.gap is not None for found in explained.values()):
        words.append("A gap is the sum of the values minus the sum that completeness requires.")
    if any(found.layers for found in explained.values()):
        words.append("Maps of a layer are upsampled bilinearly.")
    words += [f"Left out: {name}. {reason}" for name, reason in left_out.items()]
    return " ".join(words)


def row_titles(p: np.ndarray, chosen: Sequence[Sample], names: Sequence[str]) -> list[str]:
    """Each image's predicted class with its probability, its true class, and its index or its file's name."""
    said = [f"{names[row.argmax()]}, {row.max():.1%}" if np.isfinite(row).all() else "outputs are NaN" for row in p]
    true = ["" if one.label is None or one.label >= len(names) else f"is {names[one.label]}" for one in chosen]
    place = [f"image {one.subject['index']}" if one.original is None else one.title for one in chosen]
    return ["\n".join(filter(None, lines)) for lines in zip(said, true, place, strict=True)]
