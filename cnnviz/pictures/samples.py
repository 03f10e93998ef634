"""The images that `--image` means: some of a data set's, or pictures of one's own as the network takes them."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.data import Dataset, photograph
from cnnviz.data.photograph import Photograph, Unreadable, all_unreadable
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.pictures.choices import MOST_IMAGES, Choice, choices, indices
from cnnviz.pictures.options import OfImage
from cnnviz.pictures.picture import (
    BY_INPUTS,
    Data,
    NoData,
    Picture,
    Sample,
    inputs_in_words,
    sample,
    size,
    split_of,
)

DARK, BRIGHT = 64, 192  # pixel values up to and from which a border counts as black and as white
LOOKED_AT = 256  # images of a data set whose border is looked at


def samples(asked: OfImage, net: Net, data: Data) -> list[Sample]:
    """The images that the options name, in order and each once, at most 64; what is converted is told to `data.note`.

    Raises Skipped if numbers are asked for and there is no data set, InputError for an image that is not there, cannot
    be read, of which it names all, or cannot be shown to the network.
    """
    found: dict[Any, Sample] = {}
    faults: list[Unreadable] = []
    for choice in choices(asked.chosen):
        try:
            found |= {_place(choice, one): one for one in _samples(choice, asked, net, data)}
        except Unreadable as fault:
            faults.append(fault)
    if faults:
        raise all_unreadable(faults)
    if len(found) > MOST_IMAGES:
        raise InputError(f"A picture has at most {MOST_IMAGES} images; {asked.chosen!r} means {len(found)}.")
    titles = [one.title for one in found.values()]
    return [_in_folder(place, one) if titles.count(one.title) > 1 else one for place, one in found.items()]


def _in_folder(place: Any, one: Sample) -> Sample:
    """A picture that is called like another one, with the folder that it is in."""
    if not isinstance(place, Path):
        return one
    folder = place.resolve().parent.name
    return replace(one, title=f"{folder}/{one.title}", name=f"{folder}-{one.name}")


def _place(choice: Choice, one: Sample) -> Any:
    """What tells an image from all others: its file, or its place in the data set."""
    return choice if isinstance(choice, Path) else (one.subject.get("split"), one.subject.get("index"))


def each(shown: Sequence[Sample], draw: Callable[[Sample], Iterable[Picture]]) -> list[Picture]:
    """What is drawn of each image; of several, each picture has its image's name in its own."""
    if len(shown) == 1:
        return list(draw(shown[0]))
    return [replace(picture, name=f"{picture.name}_{one.name}") for one in _distinct(shown) for picture in draw(one)]


def _distinct(shown: Sequence[Sample]) -> list[Sample]:
    """The images, those whose name another one has with their number in it."""
    names = [one.name for one in shown]
    return [replace(one, name=f"{one.name}-{i}") if names.count(one.name) > 1 else one for i, one in enumerate(shown)]


def _samples(choice: Choice, asked: OfImage, net: Net, data: Data) -> list[Sample]:
    if isinstance(choice, Path):
        return [own(choice, asked.invert, net, data)]
    dataset = _dataset(net, data)
    places = [choice] if isinstance(choice, int) else indices(choice, len(split_of(dataset, asked.split).images))
    return [sample(dataset, asked.split, place) for place in places]


def _dataset(net: Net, data: Data) -> Dataset:
    """The data set; without one the error says what else can be shown."""
    try:
        return data.of(net)
    except NoData as reason:
        if len(net.image_shape) != len(("h", "w", "c")):
            raise
        raise NoData(f"{str(reason).removesuffix('.')}, or pictures of your own with --image photo.png.") from reason


def own(path: Path, negative: bool, net: Net, data: Data) -> Sample:
    """A picture of one's own as the network takes it, read once; raises InputError if it cannot be."""
    key = (path, negative, net.image_shape)
    if key not in data.photographs:
        data.photographs[key] = _read(path, negative, net, data)
    found = data.photographs[key]
    return Sample(found.pixels, None, _title(path), {"file": path.name}, path.stem, found.original, found.conversions)


def _title(path: Path) -> str:
    """The name of a file on one line."""
    return re.sub(r"\s", " ", path.name)


def _read(path: Path, negative: bool, net: Net, data: Data) -> Photograph:
    if net.inputs is not None:
        raise InputError(
            f"{net.name} takes {inputs_in_words(net)}, not one picture; {BY_INPUTS} takes an array for each."
        )
    if len(net.image_shape) != 3:
        raise InputError(f"{net.name} takes inputs of {size(net.image_shape)}, not pictures; {path} cannot be shown.")
    height, width, channels = net.image_shape
    dataset = known(data)
    around = None if dataset is None else ground(dataset)
    background, why = (0 if channels == 1 else 255), ""
    if dataset is not None and around is not None:
        background, why = 255 * (around >= 128), f", the background of {dataset.title}"
    found = photograph.read(path, (height, width, channels), background, why, negative)
    if found.conversions:
        data.note(f"{_title(path)}: {', '.join(found.conversions)}")
    if dataset is not None and around is not None and (warning := against(found, around, dataset, negative)):
        data.note(f"note: {_title(path)} {warning}")
    return found


def known(data: Data) -> Dataset | None:
    """The data set, or None if there is none or it cannot be had; raises InputError then if it was asked for."""
    if data.is_asked:
        return data.dataset
    with suppress(InputError):
        return data.dataset
    return None


def ground(dataset: Dataset) -> float | None:
    """The median of the outermost pixels of the data set's images; None for inputs that are no pictures."""
    images = dataset.train.images[:LOOKED_AT]
    return float(np.median(photograph.border(images))) if images.ndim == 4 else None


def against(found: Photograph, around: float, dataset: Dataset, negative: bool) -> str:
    """A warning if the picture's background is white where the data set's is black, or the other way round."""
    border = float(np.median(photograph.border(found.pixels)))
    words = {True: ("white", "black"), False: ("black", "white")}
    if not (around <= DARK and border >= BRIGHT or around >= BRIGHT and border <= DARK):
        return ""
    this, that = words[border >= BRIGHT]
    way = "without --invert" if negative else "as a negative by --invert"
    return f"has a {this} background, the images of {dataset.title} have a {that} one; show it {way}"
