"""Data sets in one `.npz` file, whose arrays are told apart by their names: Keras's, MedMNIST's and the like."""

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from cnnviz.data.arrays import Raw, has_shape, in_eight_bits, on_narrow, span_of
from cnnviz.data.dataset import Dataset, assemble, split
from cnnviz.data.pictures import Reading
from cnnviz.data.splits import PART_OF, parts_of
from cnnviz.errors import InputError
from cnnviz.interop.archives import DAMAGE, array, check_member, check_npz, is_array, size_of, why_damaged

IMAGES = ("x", "image", "images", "img", "imgs", "data", "pixels", "inputs")
LABELS = ("y", "label", "labels", "target", "targets")
NAMES = ("class_names", "label_names", "classes")  # of the classes, as texts
ROLES = {word: role for role, words in (("images", IMAGES), ("labels", LABELS)) for word in words}
UNNAMED = {"arr_0": ("train", "images"), "arr_1": ("train", "labels")}  # by numpy.savez without names
WANTED = "x_train, y_train, x_test, y_test or train_images, train_labels, test_images, test_labels or images, labels"


def read(
    path: Path,
    name: str | None = None,
    classes: tuple[str, ...] | None = None,
    image_shape: tuple[int, ...] | None = None,
) -> Dataset:
    """The data set in an `.npz` file; without a test split, every sixth image of each class is for testing.

    Images are uint8 pictures `[n h w]` or `[n h w c]`, or volumes `[n d h w c]`. Those that have the shape
    `image_shape` are taken in it, whatever their numbers are: signals `[n t c]`, floating-point values.

    Raises InputError if the file is damaged, holds pickled objects, or lacks the arrays.
    """
    arrays = _arrays(path)
    named = [arrays.pop(key) for key in NAMES if key in arrays and arrays[key].dtype.kind == "U"]
    places = _places(path, [*arrays])
    splits, said = {}, {}
    learned = places["train", "images"]
    for part in dict.fromkeys(part for part, _ in places):
        images, labels = places[part, "images"], places[part, "labels"]
        formed, note = _formed(arrays[images], arrays[learned], learned, str(path), image_shape)
        said |= dict.fromkeys(note)
        is_formed = has_shape(arrays[images], image_shape) and 0 not in formed.shape
        splits[part] = split(formed, arrays[labels], f"{images} in {path}", is_formed)
    train, test, validation, notes = parts_of(splits, str(path))
    own = tuple(map(str, named[0].reshape(-1))) if named else None
    address = name or str(path.resolve())
    notes = (*said, *notes)
    return assemble(address, train, test, classes or own, str(path), validation=validation, notes=notes)


def _formed(
    images: Raw, learned: Raw, name: str, where: str, shape: tuple[int, ...] | None
) -> tuple[Raw, tuple[str, ...]]:
    """The images in the shape that was asked for, in 8 bits, and a note on that; as they are if they do not have it.

    What becomes 0 and 255 is decided by the images `learned` from, which the array `name` holds.
    """
    if shape is None:
        return images, on_narrow(images, name)
    if not has_shape(images, shape) or 0 in images.shape:
        return images, ()
    formed = images.reshape(-1, *shape)
    if images.dtype == np.uint8:
        return formed, ()
    span = span_of(learned, f"{name} in {where}")
    is_exact = span == (0, 255) and images.dtype.kind in "iu"
    return in_eight_bits(formed, span), () if is_exact else (span.note(name, learned.dtype),)


def at(path: Path, reading: Reading) -> Dataset:
    """The data set in an `.npz` file that was named by its path."""
    return read(path, image_shape=reading.image_shape)


def role(name: str) -> tuple[str, str] | None:
    """The part and the role of an array by the words of its name: "x_train" has the images for training."""
    if name in UNNAMED:
        return UNNAMED[name]
    words = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower().split("_")
    parts, roles = (
        [PART_OF[word] for word in words if word in PART_OF],
        [ROLES[word] for word in words if word in ROLES],
    )
    if len(parts) + len(roles) != len(words) or len(parts) > 1 or not roles:
        return None
    return (parts or ["train"])[0], roles[-1]


def _places(path: Path, names: Sequence[str]) -> dict[tuple[str, str], str]:
    """The array of each part and role; raises InputError if one is missing or there are two."""
    places: dict[tuple[str, str], str] = {}
    for name in names:
        place = role(name)
        if place is None:
            continue
        if place in places:
            raise InputError(f"{path} has two arrays of {place[0]} {place[1]}: {places[place]} and {name}.")
        places[place] = name
    whole = {(part, each) for part, _ in places for each in ("images", "labels")}
    if ("train", "images") not in places or whole - places.keys():
        raise InputError(f"{path} has the arrays {', '.join(_stored(path)) or 'none'}; it needs {WANTED}.")
    return places


def _stored(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _arrays(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The data set's arrays in a file; raises InputError if it is damaged, or if loading it would run code."""
    check_npz(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            if junk := [name for name, info in members.items() if not is_array(archive, info)]:
                raise ValueError(f"not an array: {', '.join(junk)}")
            return {name: array(archive, info) for name, info in members.items()}
    except InputError as error:
        raise InputError(f"{path} is not a readable .npz file: {error}") from error
    except DAMAGE as error:
        raise why_damaged(path, error) from error


def _members(archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """The members with a name that a data set's array has; raises InputError if one must not be unpacked."""
    named = {stored.removesuffix(".npy"): stored for stored in archive.namelist()}
    infos = {name: archive.getinfo(stored) for name, stored in named.items() if role(name) or name in NAMES}
    for info in infos.values():
        # out of all bytes, not only its own, since sorted labels are stored in very few
        check_member(archive, info, "NumPy", "a data set", stored=size_of(archive), largest=None)
    return infos
