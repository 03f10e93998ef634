"""Data sets that are published as files: their names, their URLs, and a checksum of each file.

A digest of an IDX file is of the unpacked file, so that it holds for every packaging. For KMNIST only the digests of
the gzipped files are known (TensorFlow Datasets registers them); they are listed under the names of those files.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnviz.data.dataset import Dataset, assemble, split
from cnnviz.data.idx import read as read_idx
from cnnviz.errors import InputError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
ALGORITHMS = {32: "md5", 64: "sha256"}  # by the length of a digest


@dataclass(frozen=True)
class Form:
    """A way in which a data set lies on disk: its files, the names of their folder, and what reads them.

    `read(name, files)` gets the path of each file, in order. `folders` may have "", the place that is searched itself,
    if no other data set has files of these names.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    read: Callable[[str, Sequence[Path]], Dataset]


@dataclass(frozen=True)
class Published:
    """What identifies such a data set; `search.find` finds it on this machine or downloads it."""

    name: str
    classes: tuple[str, ...]
    folders: tuple[str, ...]  # the names that Keras, torchvision and packagers give to the folder of the files
    url: str  # of the folder of the files, or with {} in the place of a file's name
    digests: Mapping[str, str]
    package: str | None = None  # the Debian package
    files: tuple[str, ...] = FILES
    shape: tuple[int, int, int] = (28, 28, 1)
    read: Callable[[str, Sequence[Path]], Dataset] | None = None  # by default as four IDX files
    others: tuple[Form, ...] = ()  # in which it is not downloaded, only found
    tfds_name: str | None = None  # where it differs
    store: str | None = None  # the folder of the download, where several data sets share one

    @property
    def forms(self) -> tuple[Form, ...]:
        """All forms in which it is found; the first is that of the download."""
        return Form(self.files, self.folders, self.read or self._read_idx), *self.others

    @property
    def downloaded(self) -> tuple[str, ...]:
        """The names of the files that are downloaded."""
        return tuple(f"{name}.gz" if name in FILES else name for name in self.files)

    def address(self, file: str) -> str:
        """The URL of a file."""
        return self.url.replace("{}", file) if "{}" in self.url else f"{self.url}{file}"

    def check(self, path: Path) -> None:
        """Raises InputError if a downloaded file is damaged or does not have the published checksum."""
        if self.read is None:
            read_idx(path, self.digests)
        elif note := differs(path, self.digests):
            raise InputError(f"{path} has the wrong checksum: {note}.")

    def _read_idx(self, name: str, files: Sequence[Path]) -> Dataset:
        folder = files[0].parent
        arrays = [read_idx(path, self.digests) for path in files]
        train, test = split(arrays[0], arrays[1], f"{folder} (train)"), split(arrays[2], arrays[3], f"{folder} (t10k)")
        return assemble(name, train, test, self.classes, str(folder))


def differs(path: Path, digests: Mapping[str, str]) -> str:
    """A phrase with both checksums if a file is not the published one; empty if it is, or if no digest is known."""
    if (wanted := digests.get(path.name)) is None:
        return ""
    algorithm = ALGORITHMS[len(wanted)]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    return "" if found == wanted else f"its {algorithm.upper()} is {found}, the published one is {wanted}"


FASHION_MNIST = Published(
    name="fashion_mnist",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    digests={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    package="dataset-fashion-mnist",
)

MNIST = Published(
    name="mnist",
    classes=tuple("0123456789"),
    folders=("mnist", "MNIST/raw", "MNIST"),
    url="https://storage.googleapis.com/cvdf-datasets/mnist/",
    digests={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)

KMNIST = Published(
    name="kmnist",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    folders=("kmnist", "KMNIST/raw", "KMNIST"),
    url="https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    digests={
        "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    },
)
