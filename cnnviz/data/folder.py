"""Folders of images: one subfolder per class, either directly or in each of `train`, `test` and, if there is, `val`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnviz.data import cache, pictures
from cnnviz.data.dataset import Dataset, Split, assemble, check_several, split
from cnnviz.data.listing import Listing, innermost, is_picture, listing, subfolders
from cnnviz.data.pictures import AS_STORED, Reading
from cnnviz.data.splits import PART_OF, parts_of
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted, listed

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar", ".npz", ".mat")


def read(path: Path, reading: Reading = AS_STORED) -> Dataset:
    """The data set in a folder of images, also in subfolders of the classes.

    Without a `test` folder, `val` is for testing; without either, every sixth image of a class. Raises InputError if a
    class has no images, if an image cannot be read, or if their sizes differ.
    """
    path = path.resolve()
    classes, parts, listings, notes = _listed(path)
    every = [each for own in listings.values() for each in own]
    mark = cache.stamp(file for each in every for file in each.files)

    def decode() -> Dataset:
        decoded = {part: _split(parts[part], own, reading) for part, own in listings.items()}
        check_several(_present(classes, decoded["train"][0]), path)  # after an unreadable picture is said
        train, test, validation, said = parts_of({part: own for part, (own, _) in decoded.items()}, str(path))
        said += [note for _, own in decoded.values() for note in own] + list(reading.notes)
        return assemble(str(path), train, test, classes, str(path), validation=validation, notes=said)

    dataset = cache.remembered(str(path), f"{path}{reading.key}", mark, decode)
    return replace(dataset, notes=(*notes, *_notes_on(path, every), *dataset.notes))


def known_classes(path: Path) -> list[str]:
    """The names of the classes in a folder of images, none of which is read; raises InputError as `read` does."""
    return _listed(path.resolve())[0]


def _listed(path: Path) -> tuple[list[str], dict[str, Path], dict[str, list[Listing]], list[str]]:
    """The classes, the folder of each part, what it lists, and sentences about what is left out."""
    parts, notes = _parts(path)
    listings = {part: [listing(entry) for entry in subfolders(folder)] for part, folder in parts.items()}
    return _classes(parts, listings), parts, listings, notes


def _parts(path: Path) -> tuple[dict[str, Path], list[str]]:
    """The folder of each part, or the data set's as that for training, and sentences about what is left out."""
    if not (inner := subfolders(path)):
        raise InputError(_no_subfolders(path))
    named = {part: entry for entry in inner if (part := PART_OF.get(entry.name.lower()))}
    if not named and len(tokens := [_part_in(entry.name) for entry in inner]) == len({*tokens} - {None}):
        named = {part: entry for part, entry in zip(tokens, inner, strict=True) if part}
    if "train" in named and len(named) > 1:
        with_classes = {part: folder for part, folder in named.items() if part == "train" or subfolders(folder)}
        without = [folder for part, folder in named.items() if part not in with_classes]
        return with_classes, [f"{folder} has no subfolders of classes and is left out." for folder in without]
    if len(named) == len(inner):
        names = " and ".join(entry.name for entry in inner)
        raise InputError(f"{path} has {names}; it needs train and test, or one subfolder per class.")
    loose = [entry.name for entry in sorted(path.iterdir()) if entry.name[0] != "." and is_picture(entry)]
    said = f"{counted(len(loose), 'image')} directly in {path} of no class, left out: {listed(loose)}."
    return {"train": path}, [said] if loose else []


def _part_in(name: str) -> str | None:
    """The part that a word of a folder's name stands for: training_set, seg_test."""
    found = {PART_OF[word] for word in re.split(r"[^a-z]+", name.lower()) if word in PART_OF}
    return found.pop() if len(found) == 1 else None


def _classes(parts: Mapping[str, Path], listings: Mapping[str, Sequence[Listing]]) -> list[str]:
    """The names of the classes; raises InputError unless all parts have them all, each with images."""
    names = {part: [each.folder.name for each in own] for part, own in listings.items()}
    classes = names["train"]
    for part, folder in parts.items():
        if not names[part]:
            raise InputError(_no_subfolders(folder))
        if names[part] != classes:
            raise InputError(f"{folder} {_apart(names[part], classes)}; its classes must be those of {parts['train']}.")
        _check_depth(folder, listings[part])
        for each in listings[part]:
            if not each.files:
                endings = ".bmp, .gif, .jpg, .png, .tif, .webp and others"
                raise InputError(f"{each.folder} has no images; each class needs at least one ({endings}).")
    return classes


def _apart(own: Sequence[str], others: Sequence[str]) -> str:
    """Which classes a part lacks, and which it has that the others do not."""
    missing, extra = ([name for name in a if name not in b] for a, b in ((others, own), (own, others)))
    lacks = [f"lacks {listed(missing)}"] if missing else []
    return " and ".join([*lacks, *([f"has {listed(extra)}{' besides' if not missing else ''}"] if extra else [])])


def _no_subfolders(path: Path) -> str:
    return f"{path} has no subfolders; a folder of images has one per class.{_hint(path)}"


def _hint(path: Path) -> str:
    """What a folder without subfolders was probably meant for, with a space before it; empty if that is not seen."""
    names = sorted(entry.name for entry in path.iterdir())
    if table := next((name for name in names if name.lower().endswith((".csv", ".tsv"))), None):
        return f" If {table} says which image is of which class, name that file."
    if archive := next((name for name in names if name.lower().endswith(ARCHIVES)), None):
        return f" If its data are in {archive}, name that file, or unpack it."
    classes = [each.name for each in subfolders(path.parent)]
    if listing(path).files and len(classes) > 1:
        return f" {path.parent} has several ({listed(classes)}); name that folder if these are its classes."
    return ""


def _check_depth(folder: Path, listings: Sequence[Listing]) -> None:
    """Raises InputError if the classes seem to be one or more folders further in."""
    if len(listings) == 1 and (inner := innermost(listings[0].folder)) is not None:
        names = listed([entry.name for entry in subfolders(inner)])
        raise InputError(f"{folder} has one subfolder, and {inner} has several ({names}); name that folder.")
    inner_names = {tuple(entry.name for entry in subfolders(each.folder)) for each in listings}
    is_repeated = len(listings) > 1 and len(inner_names) == 1 and len(next(iter(inner_names))) > 1
    if is_repeated and all(len(each.nested) == len(each.files) > 0 for each in listings):
        names = listed(next(iter(inner_names)))
        raise InputError(
            f"Each of {folder}'s subfolders ({listed([each.folder.name for each in listings])}) has the subfolders "
            f"{names}; name one of them, or call them train and test."
        )


def _present(classes: Sequence[str], train: Split) -> list[str]:
    """The classes of which there are images left."""
    return [classes[int(label)] for label in np.unique(train.labels)]


def _notes_on(root: Path, listings: Sequence[Listing]) -> list[str]:
    """Sentences about pictures in subfolders of classes, and files that are no pictures."""
    nested = [file for each in listings for file in each.nested]
    places = list(dict.fromkeys(file.parent.relative_to(root).as_posix() for file in nested))
    others = [file.relative_to(root).as_posix() for each in listings for file in each.others]
    notes = (
        [f"{counted(len(nested), 'image')} in subfolders of classes ({listed(places)}) belong to these."]
        if nested
        else []
    )
    return notes + ([f"{counted(len(others), 'file')} left out, not pictures: {listed(others)}."] if others else [])


def _split(part: Path, listings: Sequence[Listing], reading: Reading) -> tuple[Split, tuple[str, ...]]:
    """The images of a part, and sentences about how they were converted."""
    entries = [(label, file) for label, each in enumerate(listings) for file in each.files]
    decoded = pictures.decode(((str(file), file) for _, file in entries), reading)
    labels = np.array([entries[index][0] for index in decoded.kept])
    return split(decoded.images, labels, str(part)), decoded.notes
