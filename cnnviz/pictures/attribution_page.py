"""The page of attribution maps: its title, its columns, its caption and what it is of."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pkgutil import resolve_name
from typing import Any

import numpy as np

from cnnviz.attribution.at_layer import AtLayer
from cnnviz.attribution.shapes import Method
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.finite import finite
from cnnviz.figures.scales import scale_of, scales_of
from cnnviz.networks import Net
from cnnviz.pictures.attribution_slides import by_cells
from cnnviz.pictures.picture import SIDES, Picture, Sample, shown_channel
from cnnviz.pictures.slices import middle

EXACT = 0.05  # of a map's largest value: with a larger standard error more samples are needed
WORDS = {"predicted": "the predicted class", "label": "the true class"}


@dataclass(frozen=True)
class Explained:
    """One method's results for m members and n images: `maps [m n h w]`, `layers` by name, `gap [m n]` or None.

    `error [m n h w]` and `to_halve [m n]`, the number of samples that would halve it, are None without an estimate.
    """

    method: Method
    maps: np.ndarray
    layers: Mapping[str, np.ndarray]
    gap: np.ndarray | None
    error: np.ndarray | None = None
    to_halve: np.ndarray | None = None

    def columns(self, name: str) -> Iterator[tuple[str, np.ndarray]]:
        """The heading of each of its columns, and the column's maps `[m n h w]`."""
        yield name, self.maps

    def numbers(self, name: str) -> dict[str, np.ndarray]:
        """All its arrays, by the names under which they are written."""
        told = {"gap": self.gap, "standard_error": self.error}
        layers = {f"{name}.{layer}": values for layer, values in self.layers.items()}
        return {name: self.maps} | layers | {f"{name}.{what}": v for what, v in told.items() if v is not None}

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of the maps after their sides."""
        return ()

    @property
    def remark(self) -> str:
        """What the caption says of these maps; empty if nothing."""
        return getattr(self.method, "remark", "")

    @property
    def notes(self) -> list[str]:
        """A note per image: the completeness gap, or how exact the map of a method is that draws at random."""
        if self.gap is not None:
            return [gap_of(float(gap)) for gap in self.gap.mean(0)]
        if self.error is None or self.to_halve is None:
            return []
        error = np.sqrt(np.square(self.error).mean(0)) / np.sqrt(len(self.error))  # of the mean over the members
        rows = zip(error, self.maps.mean(0), self.to_halve[0], strict=True)
        return [error_of(one, values, int(samples)) for one, values, samples in rows]


@dataclass(frozen=True)
class Matrix:
    """What all pictures of one call share; `target` is what is explained, in words, and `input` the one of several."""

    asked: Any
    net: Net
    dataset: Dataset | None
    chosen: Sequence[Sample]
    target: str
    rows: list[str]
    left_out: Mapping[str, str]
    input: str | None = None

    def picture(self, explained: Mapping[str, Explained]) -> Picture:
        """One picture of at most eight methods; its numbers are the raw maps and a `manifest` that describes them."""
        asked, net = self.asked, self.net
        images = np.stack([one.pixels for one in self.chosen])
        where = f" in {self.input}" if self.input else ""
        title = f"{net.name}{members_of(net)} on {self.shown}: what {self.target} rests on{where}"
        columns = columns_of(explained, asked.scale == "shared")
        numbers = {"manifest": np.array(json.dumps(self.manifest(explained))), "images": images}
        for name, found in explained.items():
            numbers |= found.numbers(name)
        pixels, drawn, sliced = images, columns, ""
        if len(self.sides) == 3:
            pixels, sliced = middle(images, 1)
            drawn = {name: column._replace(maps=middle(column.maps, 1).values) for name, column in columns.items()}
        draw = partial(attributions, pixels, self.rows, drawn, overlay=asked.overlay, title=title)
        axes = {name: ("member", "image", *self.sides, *found.axes) for name, found in explained.items()}
        caption = caption_of(columns, explained, self.left_out, asked) + sliced + shown_channel(images[0])
        picture = Picture("attribute", title, caption, numbers, draw, self.subject(explained), axes)
        return by_cells(picture, pixels, self.rows, drawn, overlay=asked.overlay)

    def subject(self, explained: Mapping[str, Explained]) -> dict[str, Any]:
        """What the picture is of."""
        asked = self.asked
        layer = [f"at-{asked.layer}"] if asked.layer is not None else []
        layer += [f"of-{self.input}"] if self.input else []
        drawn = [*layer, *["shared"] * (asked.scale == "shared"), *["overlay"] * asked.overlay]
        drawn += [*["regions"] * asked.regions, *["augmented"] * asked.augment]
        target = asked.target.replace(",", "-vs")
        return {
            "network": self.net.name,
            "image": self.places,
            "target": target,
            "method": list(explained),
            "drawn": drawn,
        }

    @property
    def sides(self) -> tuple[str, ...]:
        """The names of a map's axes."""
        pixels = self.chosen[0].pixels
        is_vector = self.input is not None and self.chosen[0].inputs[self.input].ndim == 1
        return ("value",) if is_vector else SIDES[pixels.ndim - 1]

    @property
    def shown(self) -> str:
        """The images in words."""
        own = [one.title for one in self.chosen if "file" in one.subject]
        count = len(self.chosen) - len(own)
        title = self.dataset.title if self.dataset else ""
        ours = [f"{counted(count, f'{self.asked.split} image')} of {title}"] if count else []
        many = "rows of inputs" if self.input else "pictures"
        return " and ".join(ours + (own if len(own) < 3 else [f"{len(own)} {many}"]))

    @property
    def places(self) -> dict[str, Any]:
        """The images as a picture's subject names them: by their numbers, by their files, or as rows of one file."""
        places = [one.subject for one in self.chosen]
        if self.input:
            return {"file": places[0]["file"], "index": [place["index"] for place in places]}
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
            "input": self.input,
            "regions": asked.regions,
            "augment": asked.augment,
            "axes": ", ".join(("member", "image", *self.sides)),
            "methods": {
                name: options_of(found.method) | {"at": list(found.layers)} for name, found in explained.items()
            },
        }


def options_of(method: Method) -> dict[str, Any]:
    """The method's options for JSON; arrays and methods are replaced by the names of their types."""
    plain = lambda value: value if isinstance(value, str | int | float | tuple | None) else type(value).__name__
    if isinstance(method, AtLayer):
        return options_of(method.base) | {"at": method.layer}
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
    """One column per method, or per channel of one, headed by its name, its layers and its channel.

    Of several members there is also a column of their standard deviations.
    """
    columns = {}
    scales = lambda maps, among: [scale_of(among)] if shared else scales_of(maps, among)
    for name, found in explained.items():
        among = found.maps.mean(0)  # all channels, if there is a column for each
        for own, maps in found.columns(name):
            mean = maps.mean(0)
            columns[own + at_layers(name, found)] = Column(mean, scales(mean, among), found.notes)
            if len(maps) > 1:
                deviation = maps.std(0, ddof=1)
                columns[f"{own}\nsd of {len(maps)} seeds"] = Column(deviation, scales(deviation, deviation))
    return columns


def at_layers(name: str, found: Explained) -> str:
    """The layers of a column's heading, in a line of their own; empty if the name has them already."""
    layers = ", ".join(found.layers)
    return f"\nat {layers}" if layers and f"at={layers}" not in re.split("[:,]", name) else ""


def gap_of(gap: float) -> str:
    """A completeness gap as the note under a map."""
    return f"gap {gap:+.2g}".replace("-", "−") if np.isfinite(gap) else "gap NaN or infinite"


def error_of(error: np.ndarray, values: np.ndarray, samples: int) -> str:
    """A map's standard error as the note under it, and how many samples would halve it if that is needed."""
    largest, typical = float(np.abs(values).max()), float(np.sqrt(np.square(error).mean()))
    if not np.isfinite(typical):
        return f"error unknown:\n{samples} samples?"
    share = typical / largest if largest else 0.0
    return f"error {share:.1%}" + (f"\n{samples} halve it" if share > EXACT else "")


def caption_of(
    columns: Mapping[str, Column], explained: Mapping[str, Explained], left_out: Mapping[str, str], asked: Any
) -> str:
    """What the titles, the colors and the gaps mean, and what is clipped or left out."""
    beyond = sum(column.outside for column in columns.values())
    total = sum(column.maps.size for column in columns.values())
    own = "each map on its own scale, whose end is printed under it"
    alike = ", all channels of a method on one" if any(found.axes for found in explained.values()) else ""
    scale = own if asked.scale == "own" else f"each column on its own scale{alike}"
    words = ["Each image with its predicted class and that class's probability, its true class and its number."]
    words.append(f"Raw values, {scale}; {beyond:,} of {total:,} are clipped.")
    if asked.overlay:
        words.append("Maps lie over the images in gray, the more transparent the closer a value is to zero.")
    if asked.augment:
        words.append("Each map is the mean over six copies of the image: mirrored, brighter and darker ones.")
    if asked.regions:
        words.append("Every pixel has the mean of the map over its region of the image, as in XRAI.")
    if left := total - sum(finite(column.maps).size for column in columns.values()):
        words.append(f"{left:,} of {total:,} values are NaN or infinite.")
    if any(found.gap is not None and not found.axes for found in explained.values()):
        words.append("A gap is the sum of the values minus the sum that completeness requires.")
    if any(found.gap is None and found.error is not None for found in explained.values()):
        words.append(
            "An error is the standard error of a typical value, as a share of the map's largest value; above 5% the "
            "number of samples that would halve it is under the map."
        )
    if any(found.layers for found in explained.values()):
        words.append("Maps of a layer are upsampled bilinearly.")
    remarks = {name: found.remark for name, found in explained.items()}
    words += [f"{name}: {remark}" for name, remark in remarks.items() if remark]
    return " ".join([*words, *left_out_words(left_out)])


def left_out_words(left_out: Mapping[str, str]) -> list[str]:
    """What is left out, by reason; those with the same one together."""
    reasons = dict.fromkeys(left_out.values())
    named = {reason: [name for name, given in left_out.items() if given == reason] for reason in reasons}
    return [f"Left out: {', '.join(names)}. {reason}" for reason, names in named.items()]


def left_out_notes(left_out: Mapping[str, str]) -> list[str]:
    """The same for a line on the terminal, after what it is of."""
    return [f"l{words[1:]}" for words in left_out_words(left_out)]


def named_fault(label: str, error: InputError) -> InputError:
    """The error of a method that was asked for, beginning with its name; that of an option or of memory as it is."""
    text = str(error)
    return InputError(f"{label}: {text}") if type(error) is InputError and not text.startswith(f"{label} ") else error


def row_titles(p: np.ndarray, chosen: Sequence[Sample], names: Sequence[str]) -> list[str]:
    """Each image's predicted class with its probability, its true class, and its index or its file's name."""
    said = [f"{names[row.argmax()]}, {row.max():.1%}" if np.isfinite(row).all() else "outputs are NaN" for row in p]
    true = ["" if one.label is None or one.label >= len(names) else f"is {names[one.label]}" for one in chosen]
    place = [one.title if "file" in one.subject else f"image {one.subject['index']}" for one in chosen]
    return ["\n".join(filter(None, lines)) for lines in zip(said, true, place, strict=True)]
