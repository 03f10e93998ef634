"""Data sets in memory: uint8 images and int32 labels in two splits, checked, with a fingerprint."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
from jaxtyping import Int32, Shaped, UInt8

from cnnviz.errors import InputError

Images = UInt8[np.ndarray, "n *sides c"]
Labels = Int32[np.ndarray, " n"]


class Unavailable(InputError):
    """A known data set that can be neither found nor downloaded; only this lets a list fall back to its next name."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images and their labels, in the order of the file they came from."""

    images: Images
    labels: Labels

    def __repr__(self) -> str:
        sides = "x".join(map(str, self.images.shape[1:]))
        return f"Split({len(self.labels):,} images {sides}, labels {self.labels.min()} to {self.labels.max()})"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Two splits, the class names, the place they were read from, and a SHA-256 of all that a network sees of them.

    `data.load(name)` loads the same data set again: `name` is a data set's name, or an absolute path.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    fingerprint: str
    source: str

    def __repr__(self) -> str:
        sides = "x".join(map(str, self.train.images.shape[1:]))
        counts = f"{len(self.train.labels):,} train and {len(self.test.labels):,} test images {sides}"
        return f"Dataset({self.title!r}: {counts}, {len(self.classes)} classes)"

    def _repr_html_(self) -> str:
        """What it holds, and an image of each class, as a notebook shows it."""
        return f"<p>{escape(repr(self))}</p>{resolve_name('cnnviz.pictures.gallery:of_classes')(self)}"

    @property
    def title(self) -> str:
        """The name for use in titles: the stem of the file or folder if `name` is a path."""
        return Path(self.name).stem if Path(self.name).is_absolute() else self.name


def assemble(
    name: str, train: Split, test: Split, classes: Sequence[str] | None, source: str, fingerprint: str | None = None
) -> Dataset:
    """The data set of two splits; without class names, each class is named by its number.

    Raises InputError if the splits differ in shape, or if a label is not the number of a class.
    """
    classes = _numbered(train, test, f"{name} in {source}") if classes is None else tuple(classes)
    for part, split in (("train", train), ("test", test)):
        _check_labels(split.labels, classes, f"The {part} labels of {name} in {source}")
    if train.images.shape[1:] != test.images.shape[1:]:
        shapes = f"{train.images.shape[1:]} and {test.images.shape[1:]}"
        raise InputError(
            f"The train and test images of {name} in {source} have shapes {shapes}; they must be the same."
        )
    return Dataset(name, train, test, classes, fingerprint or fingerprint_of(train, test, classes), source)


def split(images: Shaped[np.ndarray, "..."], labels: Shaped[np.ndarray, "..."], where: str) -> Split:
    """The split of raw arrays: uint8 images `[n h w]` or `[n h w c]`, and one integer label per image.

    `where` names the arrays in messages. Raises InputError for other dtypes, shapes or label values.
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        found = f"{images.dtype}{list(images.shape)}"
        raise InputError(f"The images of {where} are {found}; uint8 of shape [n, h, w] or [n, h, w, c] is needed.")
    if not np.issubdtype(labels.dtype, np.integer) or labels.size != max(labels.shape, default=0):
        raise InputError(f"The labels of {where} are {labels.dtype}{list(labels.shape)}; they must be integers [n].")
    if labels.size != len(images):
        raise InputError(
            f"{where} has {len(images)} images and {labels.size} labels; there must be one label per image."
        )
    if labels.min() < 0 or labels.max() >= np.iinfo(np.int32).max:
        raise InputError(f"The labels of {where} run from {labels.min()} to {labels.max()}; they must count up from 0.")
    images = images if images.ndim == 4 else images[..., None]
    return Split(images, labels.reshape(-1).astype(np.int32))


def hold_out(everything: Split, where: str) -> tuple[Split, Split]:
    """Train and test splits of a data set that has only one: every sixth image of each class is for testing.

    Raises InputError if no class has six images.
    """
    ranks = np.zeros(len(everything.labels), int)
    for label in np.unique(everything.labels):
        members = everything.labels == label
        ranks[members] = np.arange(members.sum())
    held = ranks % 6 == 5
    if not held.any():
        raise InputError(
            f"{where} has fewer than six images in every class; a test split needs at least six images of a class."
        )
    train, test = (Split(everything.images[chosen], everything.labels[chosen]) for chosen in (~held, held))
    return train, test


def fingerprint_of(train: Split, test: Split, classes: Sequence[str]) -> str:
    """SHA-256 of all images and labels, their shapes and the class names; it does not depend on the source."""
    digest = hashlib.sha256(repr(tuple(classes)).encode())
    for array in (train.images, train.labels, test.images, test.labels):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _numbered(train: Split, test: Split, what: str) -> tuple[str, ...]:
    """Numbers as names for unnamed classes; more classes than images mean that the labels are wrong."""
    highest = int(max(train.labels.max(), test.labels.max()))
    if highest >= len(train.labels):
        raise InputError(
            f"The labels of {what} go up to {highest} for {len(train.labels)} images; they must count up from 0."
        )
    return tuple(map(str, range(highest + 1)))


def _check_labels(labels: Labels, classes: Sequence[str], what: str) -> None:
    if labels.min() < 0 or labels.max() >= len(classes):
        span = f"{labels.min()} to {labels.max()}"
        raise InputError(f"{what} run from {span}; for {len(classes)} classes they must be 0 to {len(classes) - 1}.")
