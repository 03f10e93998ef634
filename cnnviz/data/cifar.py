"""CIFAR-10 and CIFAR-100, in the binary form that is published and in Keras's and torchvision's, which is of pickles.

A binary file is a sequence of records: the label (of CIFAR-100 the superclass's and the class's), then 1024 bytes of
each of red, green and blue. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cnnviz.data import tarballs
from cnnviz.data.dataset import Dataset, Split, assemble, split
from cnnviz.data.pickled_batches import batch
from cnnviz.data.pictures import Reading
from cnnviz.data.published import Form, Published, differs
from cnnviz.data.search import Known
from cnnviz.errors import InputError

SIDE, PIXELS = 32, 3 * 32 * 32
URL = "https://www.cs.toronto.edu/~kriz/"
CLASSES_10 = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CLASSES_100 = tuple(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
    can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
    lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
    shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
    television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm""".split()
)


@dataclass(frozen=True)
class Kind:
    """What tells the two sets apart: their files, the bytes of labels in a record, and the labels' key in a pickle."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: int
    key: str
    classes: tuple[str, ...]

    def files(self, ending: str) -> tuple[str, ...]:
        """The names of all files, ".bin" ones or pickles without an ending."""
        return tuple(f"{name}{ending}" for name in (*self.train, *self.test))


TEN = Kind(tuple(f"data_batch_{n}" for n in range(1, 6)), ("test_batch",), 1, "labels", CLASSES_10)
HUNDRED = Kind(("train",), ("test",), 2, "fine_labels", CLASSES_100)
KINDS = (TEN, HUNDRED)
ENDINGS = (".bin", "")


def read_archive(name: str, files: Sequence[Path], digests: Mapping[str, str] = {}) -> Dataset:
    """The data set in a `.tar.gz` of either form; raises InputError if the archive is damaged or lacks files."""
    (path,) = files
    found = tarballs.members(path, {file for kind in KINDS for ending in ENDINGS for file in kind.files(ending)})
    kind, ending = _recognized(found) or (None, "")
    if kind is None:
        raise InputError(f"{path} has no batches of CIFAR-10 or CIFAR-100; name the archive of one of them.")
    note = differs(path, digests)
    return _read(
        name, kind, ending, found, str(path), [f"{path} is not the published archive: {note}."] if note else []
    )


def read_folder(name: str, folder: Path) -> Dataset:
    """The data set in a folder of unpacked batches of either form; raises InputError if some are missing or damaged."""
    recognized = recognize(folder)
    if recognized is None:
        raise InputError(f"{folder} has no batches of CIFAR-10 or CIFAR-100; name the folder of one of them.")
    kind, ending = recognized
    contents = {file: (folder / file).read_bytes() for file in kind.files(ending) if (folder / file).is_file()}
    return _read(name, kind, ending, contents, str(folder))


def is_at(folder: Path) -> bool:
    """Whether a folder has batches."""
    return recognize(folder) is not None


def at(path: Path, reading: Reading) -> Dataset:
    """The data set in a folder or archive that was named by its path."""
    name = str(path.resolve())
    return read_folder(name, path) if path.is_dir() else read_archive(name, [path])


def recognize(folder: Path) -> tuple[Kind, str] | None:
    """Which set's batches a folder has, and their ending; None if it has none."""
    return _recognized({entry.name for entry in folder.iterdir() if entry.is_file()})


def _recognized(names: object) -> tuple[Kind, str] | None:
    every = [(kind, ending) for kind in KINDS for ending in ENDINGS]
    return next((each for each in every if {*each[0].files(each[1])} & set(names)), None)  # type: ignore[call-overload]


def _read(
    name: str, kind: Kind, ending: str, contents: Mapping[str, bytes], source: str, notes: Sequence[str] = ()
) -> Dataset:
    if missing := [file for file in kind.files(ending) if file not in contents]:
        raise InputError(f"{source} lacks {', '.join(missing)}; put a complete copy in its place.")
    part = lambda files: _joined(
        [_split(kind, f"{file}{ending}", contents[f"{file}{ending}"], source) for file in files]
    )
    return assemble(name, part(kind.train), part(kind.test), kind.classes, source, notes=notes)


def _joined(parts: Sequence[Split]) -> Split:
    return Split(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def _split(kind: Kind, file: str, content: bytes, source: str) -> Split:
    where = f"{file} in {source}"
    if not file.endswith(".bin"):
        rows, labels = batch(content, kind.key, where)
        if rows.ndim != 2 or rows.shape[1] != PIXELS:
            raise InputError(f"{where} has pixels of shape {list(rows.shape)}; they must be [n, {PIXELS}].")
        return split(_images(rows), labels, where)
    record = kind.labels + PIXELS
    if not content or len(content) % record:
        raise InputError(
            f"{where} has {len(content):,} bytes; it must have a multiple of {record}, an image with its label."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    return split(_images(records[:, kind.labels :]), records[:, kind.labels - 1], where)


def _images(rows: UInt8[np.ndarray, "n pixels"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    return np.ascontiguousarray(rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _published(name: str, kind: Kind, binary: str, python: str, digest: str) -> Published:
    """The facts of one set, whose archives unpack to the folders `binary` and `python`."""
    stem = f"cifar-{len(kind.classes)}"
    digests = {f"{stem}-binary.tar.gz": digest}
    inside = ("", name, stem, name.upper())
    folders = lambda own: tuple(f"{place}/{own}".lstrip("/") for place in (*inside, f"{own}-target"))
    unpacked = lambda name, files: read_folder(name, files[0].parent)
    return Published(
        name=name,
        classes=kind.classes,
        folders=inside,
        url=URL,
        digests=digests,
        files=(f"{stem}-binary.tar.gz",),
        shape=(SIDE, SIDE, 3),
        read=partial(read_archive, digests=digests),
        others=(
            Form(kind.files(".bin"), folders(binary), unpacked),
            Form(kind.files(""), folders(python), unpacked),
            Form((f"{stem}-python.tar.gz",), inside, read_archive),
            Form((f"{python}.tar.gz",), inside, read_archive),  # Keras's name for it
        ),
    )


# the digests are those that TensorFlow Datasets registers
CIFAR10 = _published(
    "cifar10",
    TEN,
    "cifar-10-batches-bin",
    "cifar-10-batches-py",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
CIFAR100 = _published(
    "cifar100",
    HUNDRED,
    "cifar-100-binary",
    "cifar-100-python",
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
)
cifar10, cifar100 = Known(CIFAR10), Known(CIFAR100)
