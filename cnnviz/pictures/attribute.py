"""Attribution maps: which pixels the network's output depends on, by several methods side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pkgutil import resolve_name
from typing import Any

import jax
import numpy as np

from cnnviz import probe
from cnnviz.attribution import METHODS, Attribution, attribute, build
from cnnviz.attribution.shapes import Method, image_sets
from cnnviz.batching import Report
from cnnviz.data import Dataset
from cnnviz.errors import InputError, check_known
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.finite import finite
from cnnviz.figures.scales import scale_of, scales_of
from cnnviz.networks import Net
from cnnviz.networks.probabilities import probabilities as probabilities_of
from cnnviz.pictures.choices import indices, target_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import SIDES, Data, Kind, Picture, Skipped, split_of
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.slices import middle
from cnnviz.pictures.two_classes import per_class

WORDS = {"predicted": "the predicted class", "label": "the true class"}
SCALES = ("own", "shared")
USUAL = "grad_cam,integrated_gradients,smooth_grad"
FIRST = "0:8"  # the images drawn by default
MOST_COLUMNS, BASELINE = 8, 50


@dataclass(frozen=True)
class Explained:
    """One method's results for m members and n images: `maps [m n h w]`, `layers` by name, `gap [m n]` or None."""

    method: Method
    maps: np.ndarray
    layers: Mapping[str, np.ndarray]
    gap: np.ndarray | None


@dataclass(frozen=True)
class Attributions(OfLayer, Kind):
    """Attribution maps: which pixels the output depends on, one row per image and one column per method."""

    methods: str = USUAL
    """Methods with commas between them, or all."""
    images: str = FIRST
    """Which images of the split: a range 0:8, one index, or several with commas between them."""
    split: str = "train"
    """The split that the images are from: train or test."""
    target: str = "predicted"
    """What is explained: predicted, label, a class by name or number, or two with a comma (why this and not that)."""
    scale: str = "own"
    """own: each map on its own scale, whose end is printed under it; shared: all maps of a method on one."""
    overlay: bool = False
    """Draw the maps over the images, in gray."""
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
        dataset = data.of(net)
        split = split_of(dataset, self.split)
        asked = indices(self.images, len(split.images))
        built = self.built(net, dataset)
        most = affordable(net, len(asked), passes(built) * len(net.members))
        chosen = asked[:most] if self.images == FIRST else asked
        images, labels = net.prepare(split.images[chosen]), split.labels[chosen]
        p = probabilities(net, images)
        names = class_names(net, dataset, p.shape[-1])
        # one class per image for all members, so that their maps are of the same thing
        targets = p.argmax(-1) if self.target == "predicted" else target_of(self.target, names)
        explained, left_out = self.explained(net, built, images, targets, labels, report)
        if not explained:
            raise Skipped(" ".join(left_out.values()))
        if len(chosen) < len(asked):
            left_out[f"{len(asked) - len(chosen)} of {len(asked)} images"] = "This large network would take hours."
        page = Matrix(
            self,
            net,
            dataset,
            chosen,
            target_words(targets if self.target not in WORDS else self.target, names),
            row_titles(p, labels, chosen, names),
            left_out,
        )
        return [page.picture(part) for part in in_parts(explained)]

    def explained(
        self, net: Net, built: Mapping[str, Method], images: Any, targets: Any, labels: Any, report: Report | None
    ) -> tuple[dict[str, Explained], dict[str, str]]:
        """Each method's maps for every member, and the reason for each method that is left out.

        Methods that do not apply to the model are left out of the default methods and of `all`; one that was asked for
        by name raises InputError.
        """
        found, left_out = {}, {}
        for name, method in built.items():
            ask = partial(attribute, method, net.model, key=jax.random.key(self.seed), details=True, report=report)
            try:
                explain = partial(per_class, ask, net, images=images, targets=targets, labels=labels)
                found[name] = stacked(method, [explain(own) for own in net.members])
            except InputError as error:
                if self.methods not in (USUAL, "all"):
                    raise
                left_out[name] = str(error)
        return found, left_out

    def built(self, net: Net, dataset: Dataset) -> dict[str, Method]:
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
                options[baseline] = net.prepare(dataset.train.images[:BASELINE])
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
class Matrix:
    """What all pictures of one call share; `target` is what is explained, in words."""

    asked: Attributions
    net: Net
    dataset: Dataset
    chosen: Sequence[int]
    target: str
    rows: list[str]
    left_out: Mapping[str, str]

    def picture(self, explained: Mapping[str, Explained]) -> Picture:
        """One picture of at most eight methods; its numbers are the raw maps and a `manifest` that describes them."""
        asked, net, dataset = self.asked, self.net, self.dataset
        images = split_of(dataset, asked.split).images[list(self.chosen)]
        shown = f"{len(images)} {asked.split} image{'s' * (len(images) > 1)} of {dataset.title}"
        title = f"{net.name}{members_of(net)} on {shown}: what {self.target} rests on"
        columns, sides = columns_of(explained, asked.scale == "shared"), SIDES[images.ndim - 2]
        numbers = {"manifest": np.array(json.dumps(self.manifest(explained))), "images": images}
        for name, found in explained.items():
            numbers |= {name: found.maps} | {f"{name}.{layer}": values for layer, values in found.layers.items()}
            numbers |= {f"{name}.gap": found.gap} if found.gap is not None else {}
        pixels, drawn, sliced = images, columns, ""
        if len(sides) == 3:
            pixels, sliced = middle(images, 1)
            drawn = {name: column._replace(maps=middle(column.maps, 1).values) for name, column in columns.items()}
        draw = partial(attributions, pixels, self.rows, drawn, overlay=asked.overlay, title=title)
        axes = dict.fromkeys(explained, ("member", "image", *sides))
        caption = caption_of(columns, explained, self.left_out, asked) + sliced
        return Picture("attribute", title, caption, numbers, draw, self.subject(explained), axes)

    def subject(self, explained: Mapping[str, Explained]) -> dict[str, Any]:
        """What the picture is of."""
        asked = self.asked
        index = {"dataset": self.dataset.name, "split": asked.split, "index": [int(i) for i in self.chosen]}
        layer = [f"at-{asked.layer}"] if asked.layer is not None else []
        drawn = [*layer, *["shared"] * (asked.scale == "shared"), *["overlay"] * asked.overlay]
        target = asked.target.replace(",", "-vs")
        return {"network": self.net.name, "image": index, "target": target, "method": list(explained), "drawn": drawn}

    def manifest(self, explained: Mapping[str, Explained]) -> dict[str, Any]:
        """Everything needed to reproduce the maps."""
        asked, dataset = self.asked, self.dataset
        return {
            "cnnviz": resolve_name("cnnviz:__version__"),
            "run": self.net.name,
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint, "split": asked.split},
            "images": [int(i) for i in self.chosen],
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


def members_of(net: Net) -> str:
    """What is drawn of several members, for the title."""
    count = len(net.members)
    return f" (mean and standard deviation of {count} seeds)" if count > 1 else ""


def target_words(target: Any, names: Sequence[str]) -> str:
    """The score that is explained, in words: the logit of a class by its name, or a difference of two."""
    if isinstance(target, tuple):
        this, that = (target_words(one, names) for one in target)
        return f"{this} minus {that}"
    name = WORDS.get(target) if isinstance(target, str) else names[target] if 0 <= target < len(names) else f"{target}"
    return f"the logit of {name}"


def columns_of(explained: Mapping[str, Explained], shared: bool = False) -> dict[str, Column]:
    """One column per method, headed by its name and layers; of several members also their standard deviation."""
    columns = {}
    scales = lambda maps: [scale_of(maps)] if shared else scales_of(maps)
    for name, found in explained.items():
        heading = name + (f"\nat {', '.join(found.layers)}" if found.layers else "")
        mean = found.maps.mean(0)
        notes = [] if found.gap is None else [gap_of(float(gap)) for gap in found.gap.mean(0)]
        columns[heading] = Column(mean, scales(mean), notes)
        if len(found.maps) > 1:
            deviation = found.maps.std(0, ddof=1)
            columns[f"{name}\nsd of {len(found.maps)} seeds"] = Column(deviation, scales(deviation))
    return columns


def gap_of(gap: float) -> str:
    """A completeness gap as the note under a map."""
    return f"gap {gap:+.2g}".replace("-", "−") if np.isfinite(gap) else "gap NaN or infinite"


def caption_of(
    columns: Mapping[str, Column], explained: Mapping[str, Explained], left_out: Mapping[str, str], asked: Attributions
) -> str:
    """What the titles, the colors and the gaps mean, and what is clipped or left out."""
    beyond = sum(column.outside for column in columns.values())
    total = sum(column.maps.size for column in columns.values())
    own = "each map on its own scale, whose end is printed under it"
    scale = own if asked.scale == "own" else "each column on its own scale"
    words = ["Each image with its predicted class and that class's probability, its true class and its number."]
    words.append(f"Raw values, {scale}; {beyond:,} of {total:,} are clipped.")
    if asked.overlay:
        words.append("Maps lie over the images in gray, the more transparent the closer a value is to zero.")
    if left := total - sum(finite(column.maps).size for column in columns.values()):
        words.append(f"{left:,} of {total:,} values are NaN or infinite.")
    if any(found.gap is not None for found in explained.values()):
        words.append("A gap is the sum of the values minus the sum that completeness requires.")
    if any(found.layers for found in explained.values()):
        words.append("Maps of a layer are upsampled bilinearly.")
    words += [f"Left out: {name}. {reason}" for name, reason in left_out.items()]
    return " ".join(words)


def row_titles(p: np.ndarray, labels: np.ndarray, chosen: Sequence[int], names: Sequence[str]) -> list[str]:
    """Each image's predicted class with its probability, its true class and its index."""
    said = [f"{names[row.argmax()]}, {row.max():.1%}" if np.isfinite(row).all() else "outputs are NaN" for row in p]
    true = [f"is {names[label]}" if label < len(names) else "" for label in labels]
    return [f"{one}\n{other}\nimage {i}" for one, other, i in zip(said, true, chosen, strict=True)]
