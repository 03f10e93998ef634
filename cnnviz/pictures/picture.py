"""What a picture is, and what a person asks to see of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matplotlib.figure import Figure

from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError, unknown
from cnnviz.figures.image import Pixels
from cnnviz.probe import Layer
from cnnviz.runs import Run

SPLITS = ("train", "test")
Numbers = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Skipped(Exception):
    """A picture that this run or this view has nothing for; the message is the sentence that says why."""


@dataclass(frozen=True)
class Picture:
    """A title, a caption and the numbers behind what `draw` draws.

    `numbers` are arrays by name, flat records, or anything nested that JSON holds.
    """

    name: str
    title: str
    caption: str
    numbers: Numbers
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class View:
    """What is asked for: a layer (None for the usual ones), and which image of which split of a data set.

    `find` gives the data set, or None where there is none; only pictures that need one call for it. Attributions are of
    several `images` ("0:8", "3" or "1,5,9"), by `methods` (names, or "all"), of a `target`; `seed` is their key, and
    `report(done, total)` is called as they go on.
    """

    find: Callable[[], Dataset | None] = lambda: None
    layer: str | None = None
    image: int = 0
    split: str = "train"
    methods: str = "grad_cam,integrated_gradients,smooth_grad"
    images: str = "0:8"
    target: str = "predicted"
    seed: int = 0
    report: Callable[[int, int], None] | None = None

    @cached_property
    def dataset(self) -> Dataset | None:
        return self.find()


def asked_layer(run: Run, view: View) -> Layer | None:
    """The layer that the view names, None if it names none; an unknown one is an InputError."""
    if view.layer is None:
        return None
    layers = {layer.name: layer for layer in run.layers}
    if view.layer not in layers:
        raise unknown("layer", view.layer, layers)
    return layers[view.layer]


def dataset_of(run: Run, view: View) -> Dataset:
    """The view's data set, if its images and classes are such as the run's model takes."""
    dataset = view.dataset
    if dataset is None:
        raise Skipped(f"{run.name} comes with no data set to show it; name one with --dataset.")
    found, due = (size(shape) for shape in (dataset.train.images.shape[1:], run.image_shape))
    if found != due:
        raise InputError(f"{run.name} takes images of {due}; those of {dataset.name} are {found}.")
    return dataset


def split_of(dataset: Dataset, view: View) -> Split:
    if view.split not in SPLITS:
        raise unknown("split", view.split, SPLITS)
    return dataset.train if view.split == "train" else dataset.test


def sample(run: Run, view: View) -> tuple[Pixels, int, str]:
    """The image that the view asks for: its pixels, its label, and what it is called in titles."""
    dataset = dataset_of(run, view)
    split = split_of(dataset, view)
    if not 0 <= view.image < len(split.images):
        last = len(split.images) - 1
        raise InputError(f"There is no {view.split} image {view.image} in {dataset.name}; they go from 0 to {last}.")
    label = int(split.labels[view.image])
    return (
        split.images[view.image],
        label,
        f"{view.split} image {view.image} ({dataset.classes[label]}) of {dataset.title}",
    )


def size(shape: Sequence[int]) -> str:
    """A shape in words: 28x28x1."""
    return "x".join(map(str, shape))
