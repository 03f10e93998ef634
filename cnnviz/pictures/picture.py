"""Pictures, kinds of picture, and the data set whose images they show."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Shaped, UInt8
from matplotlib.figure import Figure

from cnnviz.atomic import atomic_write
from cnnviz.batching import Report
from cnnviz.data import Dataset, Split
from cnnviz.data.photograph import Photograph
from cnnviz.errors import InputError, unknown
from cnnviz.errors.wording import size
from cnnviz.figures.files import FORMATS, encoded
from cnnviz.figures.fit import fitted
from cnnviz.figures.printable import signed
from cnnviz.figures.style import drawn_in
from cnnviz.networks import Net
from cnnviz.pictures.page import Page
from cnnviz.probe.inputs import named_leaves, one_image

SPLITS = ("train", "test")
SCREEN = Page()
# the names of the sides of an image, and of a map, by how many there are
NAMES = {1: ("time",), 2: ("height", "width"), 3: ("depth", "height", "width")}
SIDES = {1: ("time",), 2: ("row", "column"), 3: ("depth", "row", "column")}
BY_INPUTS = "`--inputs FILE.npz` of `activations` and `attribute`"
Numbers = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Skipped(Exception):
    """There is nothing to draw for this network or data; the message is a sentence that says why."""


class NoData(Skipped):
    """There is no data set to show to the network."""


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure with its title, its caption and the numbers that it shows; both have minus signs where numbers have.

    `numbers` are arrays by name, flat records, or nested values for JSON; `axes` names the axes of the arrays.
    `subject` says what the picture shows: its network, layer, unit, image and method, where it has them.
    `table` has what a terminal prints beside it, one record per row. `texts` are files written with the numbers, such
    as a table in LaTeX, by the ends of their names.
    `film` is an `animated.Film` whose strip this is. `slides` are the pictures that it is divided into for a page of
    limited height, where it would be illegible.
    """

    name: str
    title: str
    caption: str
    numbers: Numbers
    draw: Callable[..., Figure]
    subject: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    table: Sequence[Mapping[str, object]] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    film: Any = None
    slides: Sequence["Picture"] = ()

    def __post_init__(self) -> None:
        for name in ("title", "caption"):
            object.__setattr__(self, name, signed(getattr(self, name)))

    def __repr__(self) -> str:
        return f"Picture({self.name!r}: {self.title!r})"

    def divided(self, slides: Sequence["Picture"]) -> "Picture":
        """The picture with these slides, which are numbered in their names and titles; itself if there is only one.

        Their functions that draw take a title.
        """
        count = len(slides)
        titles = [f"{slide.title}, page {i} of {count}" for i, slide in enumerate(slides, 1)]
        numbered = [
            replace(slide, name=f"{slide.name}_{i}", title=title, draw=partial(slide.draw, title=title))
            for i, (slide, title) in enumerate(zip(slides, titles, strict=True), 1)
        ]
        return replace(self, slides=numbered) if count > 1 else self

    def save(self, path: str | Path, page: Page = SCREEN, about: Mapping[str, Any] | None = None) -> Path:
        """Writes the picture for this page atomically, with `about` in its metadata.

        Raises InputError if the path's suffix is unknown or an option of the page is not valid.
        """
        path = Path(path)
        if path.suffix[1:] not in FORMATS:
            raise unknown("format", path.suffix[1:], FORMATS)
        with atomic_write(path) as temporary:
            temporary.write_bytes(self.encoded(path.suffix[1:], page=page, about=about))
        return path

    def encoded(
        self, format: str = "png", dpi: int | None = None, page: Page = SCREEN, about: Mapping[str, Any] | None = None
    ) -> bytes:
        """The bytes of the picture's file, the same each time."""
        with drawn_in(page.drawn):
            figure, style = fitted(self.draw, self.caption)
        with drawn_in(style):
            return encoded(figure, format, self.title, self.caption, dpi or page.dpi, about)

    def figure(self, page: Page = SCREEN) -> Figure:
        """The picture as a matplotlib figure for this page, without its caption."""
        with drawn_in(page.drawn):
            return fitted(self.draw, self.caption)[0]

    def _repr_png_(self) -> bytes:
        """The PNG that a notebook shows."""
        return self.encoded(dpi=100)


@dataclass(frozen=True)
class Kind:
    """A kind of picture: a frozen dataclass whose fields are its options.

    `NAMED` are the options whose values are in the pictures' names or subjects, and with these in names of files.
    """

    NAMED: ClassVar[frozenset[str]] = frozenset(("layer", "image", "images", "split"))

    @property
    def variants(self) -> tuple[str, ...]:
        """What names of files say of each other option that is not the default, such as `_top-3`.

        So a second command with other options overwrites nothing.
        """
        options = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in self.NAMED}
        usual = {each.name: each.default for each in fields(self)}
        told = {name: value for name, value in options.items() if value != usual[name]}
        return tuple(f"_{name}" if value is True else f"_{name}-{value}" for name, value in told.items())

    @property
    def variant(self) -> str:
        """The `variants` as one text."""
        return "".join(self.variants)

    def __call__(self, networks: Sequence[Net], data: "Data", report: Report | None = None) -> list[Picture]:
        """The pictures of these networks; raises Skipped if there are none, InputError for an invalid option."""
        raise NotImplementedError


@dataclass(frozen=True)
class OneByOne(Kind):
    """A kind of picture that draws each network separately, and only the first of several members."""

    def __call__(self, networks: Sequence[Net], data: "Data", report: Report | None = None) -> list[Picture]:
        """The pictures of each network in turn."""
        return [picture for net in networks for picture in self.of(net.first, data)]

    def of(self, net: Net, data: "Data") -> list[Picture]:
        """The pictures of one network; raises Skipped or InputError like `Kind`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Data:
    """The data set whose images are shown to a network; it is loaded when the first picture needs it.

    `note` is told, in a line each, how pictures of one's own were converted; `photographs` keeps those. `kept` has what
    the parts of a comparison compute together. A data set that `is_asked` for is needed also where one is only of use.
    """

    find: Callable[[], Dataset | None] = lambda: None
    note: Callable[[str], object] = lambda line: None
    photographs: dict[Any, Photograph] = field(default_factory=dict, repr=False)
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)
    is_asked: bool = False

    @cached_property
    def dataset(self) -> Dataset | None:
        """The data set, or None if none was found."""
        return self.find()

    @property
    def used(self) -> Dataset | None:
        """The data set, or None if no picture has needed it so far."""
        return vars(self).get("dataset")

    def of(self, net: Net) -> Dataset:
        """The data set; raises NoData if there is none, InputError if its images do not have the network's shape."""
        if net.inputs is not None:
            raise Skipped(
                f"{net.name} takes {inputs_in_words(net)}, and a data set has one; {BY_INPUTS} takes an array for each."
            )
        if self.dataset is None:
            raise NoData(f"{net.name} comes with no data set to show it; name one with --dataset.")
        found, expected = (size(shape) for shape in (self.dataset.train.images.shape[1:], net.image_shape))
        if found != expected:
            raise InputError(f"{net.name} takes images of {expected}; those of {self.dataset.name} are {found}.")
        return self.dataset


@dataclass(frozen=True)
class Sample:
    """One image as the network takes it: its pixels `[h w c]` or values, its label if it is known, its title.

    `name` stands in names of files. `original` is a picture of one's own as it was, `[y x 3]`, and `conversions` say
    what was done to it. `inputs` has what a network of several takes, by name, instead of the pixels alone.
    """

    pixels: Shaped[np.ndarray, "*sides c"]
    label: int | None
    title: str
    subject: Mapping[str, Any]
    name: str = ""
    original: UInt8[np.ndarray, "y x 3"] | None = None
    conversions: tuple[str, ...] = ()
    inputs: Mapping[str, Shaped[np.ndarray, "..."]] = field(default_factory=dict)


def equal_parts(every: Sequence[Any], most: int) -> list[Sequence[Any]]:
    """The items in parts of at most so many, as equal as can be: what a picture's slides have."""
    step = math.ceil(len(every) / math.ceil(len(every) / most))
    return [every[i : i + step] for i in range(0, len(every), step)]


def split_of(dataset: Dataset, split: str) -> Split:
    """The split of this name; raises InputError if the name is unknown."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    return dataset.train if split == "train" else dataset.test


def sample(dataset: Dataset, split: str, index: int) -> Sample:
    """The image at this index of the split; raises InputError if it is out of range."""
    images, labels = (part := split_of(dataset, split)).images, part.labels
    if not 0 <= index < len(images):
        last = len(images) - 1
        raise InputError(f"{dataset.name} has no {split} image {index}; they go from 0 to {last}.")
    label = int(labels[index])
    title = f"{split} image {index} ({dataset.classes[label]}) of {dataset.title}"
    subject = {"dataset": dataset.name, "split": split, "index": index}
    return Sample(images[index], label, title, subject, f"{split}{index}")


def shown_channel(pixels: Shaped[np.ndarray, "*sides c"]) -> str:
    """A sentence for a caption, if an image is drawn by one of its channels alone; else empty."""
    channels = pixels.shape[-1]
    if pixels.ndim < 3 or channels in (1, 3):
        return ""
    return f" Of its {channels} channels, numbered 0 to {channels - 1}, channel 0 is drawn."


def inputs_in_words(net: Net) -> str:
    """How many inputs a network takes, and the name and the shape of each."""
    rows = named_leaves(one_image(net.takes))
    return f"{len(rows)} inputs ({', '.join(f'{name} {size(row.shape[1:])}' for name, row in rows.items())})"
