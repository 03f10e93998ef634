"""Data sets in memory: uint8 images and int32 labels in two or three splits, checked, with a fingerprint."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
from jaxtyping import Int32, Shaped, UInt8

from cnnviz.data.arrays import checked
from cnnviz.data.notes import on_channels, on_classes
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted, size

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
        sides = size(self.images.shape[1:])
        return f"Split({counted(len(self.labels), 'image')} {sides}, labels {self.labels.min()} to {self.labels.max()})"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """The splits, the class names, the place they were read from, and a SHA-256 of all that a network sees of them.

    `data.load(name)` loads the same data set again: `name` is a data set's name, or an absolute path. `validation` is
    None unless the data set has such a split of its own. `notes` are sentences about what was read.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    fingerprint: str
    source: str
    validation: Split | None = None
    notes: tuple[str, ...] = ()

    def for_training(self, limit: int | None = None) -> tuple[Images, Labels, int]:
        """The first `limit` training images and labels, then those for validation, and how many the latter are."""
        images, labels = self.train.images[:limit], self.train.labels[:limit]
        if self.validation is None:
            return images, labels, 0
        held = self.validation.labels[:limit]
        images = np.concatenate([images, self.validation.images[:limit]])
        return images, np.concatenate([labels, held]), len(held)

    def __repr__(self) -> str:
        sides = size(self.train.images.shape[1:])
        counts = f"{len(self.train.labels):,} train and {len(self.test.labels):,} test images {sides}"
        return f"Dataset({self.title!r}: {counts}, {counted(len(self.classes), 'class')})"

    def _repr_html_(self) -> str:
        """What it holds, and an image of each class, as a notebook shows it."""
        return f"<p>{escape(repr(self))}</p>{resolve_name('cnnviz.pictures.gallery:of_classes')(self)}"

    @property
    def title(self) -> str:
        """The name for use in titles: the stem of the file or folder if `name` is a path."""
        return Path(self.name).stem if Path(self.name).is_absolute() else self.name


def assemble(
    name: str,
    train: Split,
    test: Split,
    classes: Sequence[str] | None,
    source: str,
    *,
    validation: Split | None = None,
    notes: Iterable[str] = (),
) -> Dataset:
    """The data set of its splits; without class names, each class is named by its number.

    Raises InputError if the splits differ in shape, or if a label is not the number of a class.
    """
    splits = {"train": train, "test": test} | ({"validation": validation} if validation else {})
    classes = _numbered(splits.values(), f"{name} in {source}") if classes is None else tuple(classes)
    for part, split in splits.items():
        _check_labels(split.labels, classes, f"The {part} labels of {name} in {source}")
        if split.images.shape[1:] != train.images.shape[1:]:
            shapes = f"{train.images.shape[1:]} and {split.images.shape[1:]}"
            raise InputError(
                f"The train and {part} images of {name} in {source} have shapes {shapes}; they must be the same."
            )
    fingerprint = fingerprint_of(train, test, classes, validation)
    said = (*notes, *on_classes(train.labels, test.labels, classes), *on_channels(train.images))
    return Dataset(name, train, test, classes, fingerprint, source, validation, said)


def check_several(classes: Sequence[str], source: object) -> None:
    """Raises InputError if there is one class alone."""
    if len(classes) == 1:
        raise InputError(f"{source} has one class, {classes[0]}; a network needs two or more to tell apart.")


def split(
    images: Shaped[np.ndarray, "..."], labels: Shaped[np.ndarray, "..."], where: str, is_formed: bool = False
) -> Split:
    """The split of raw arrays: uint8 images `[n h w]` or `[n *sides c]`, and one integer label per image.

    `where` names the arrays in messages. Images that are `is_formed` are uint8 with channels already, of any sides,
    such as signals `[n t c]`. Raises InputError for other dtypes, shapes or label values.
    """
    images = images if is_formed else checked(images, where)
    labels = _plain(labels, len(images))
    if not np.issubdtype(labels.dtype, np.integer) or labels.size != max(labels.shape, default=0):
        found = f"{labels.dtype}{list(labels.shape)}"
        raise InputError(f"The labels of {where} are {found}; they must be integers [n], one class per image.")
    if labels.size != len(images):
        raise InputError(
            f"{where} has {counted(len(images), 'image')} and {counted(labels.size, 'label')}; there must be "
            "one label per image."
        )
    if labels.min() < 0 or labels.max() >= np.iinfo(np.int32).max:
        raise InputError(f"The labels of {where} run from {labels.min()} to {labels.max()}; they must count up from 0.")
    return Split(images, labels.reshape(-1).astype(np.int32))


def _plain(labels: Shaped[np.ndarray, "..."], count: int) -> Shaped[np.ndarray, "..."]:
    """One-hot labels `[n, k]` as the integers `[n]` that they stand for; all others as they are."""
    if labels.ndim != 2 or len(labels) != count or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return labels
    is_one_hot = ((labels == 1).sum(1) == 1) & ((labels == 0).sum(1) == labels.shape[1] - 1)
    return labels.argmax(1) if is_one_hot.all() else labels


def fingerprint_of(train: Split, test: Split, classes: Sequence[str], validation: Split | None = None) -> str:
    """SHA-256 of all images and labels, their shapes and the class names; it does not depend on the source."""
    digest = hashlib.sha256(repr(tuple(classes)).encode())
    for split in (train, test, *([validation] if validation else [])):
        for array in (split.images, split.labels):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _numbered(splits: Iterable[Split], what: str) -> tuple[str, ...]:
    """Numbers as names for unnamed classes; more classes than images mean that the labels are wrong."""
    (train, *others) = splits
    highest = int(max(split.labels.max() for split in (train, *others)))
    if highest >= len(train.labels):
        raise InputError(
            f"The labels of {what} go up to {highest} for {counted(len(train.labels), 'image')}; they must count up "
            "from 0."
        )
    return tuple(map(str, range(highest + 1)))


def _check_labels(labels: Labels, classes: Sequence[str], what: str) -> None:
    if labels.min() < 0 or labels.max() >= len(classes):
        span = f"{labels.min()} to {labels.max()}"
        raise InputError(f"{what} run from {span}; for {len(classes)} classes they must be 0 to {len(classes) - 1}.")
