"""SVHN's cropped digits: MATLAB files with the images X `[h w c n]` and the labels y, of which 10 stands for the zero.

Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnviz.data import matlab
from cnnviz.data.dataset import Dataset, Split, assemble, split
from cnnviz.data.pictures import Reading
from cnnviz.data.published import Published, differs
from cnnviz.data.search import Known
from cnnviz.data.splits import parts_of
from cnnviz.errors import InputError

FILES = ("train_32x32.mat", "test_32x32.mat")
CLASSES = tuple("0123456789")
# those that TensorFlow Datasets registers
DIGESTS = {
    "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
}


def read_files(name: str, files: Sequence[Path]) -> Dataset:
    """The data set in the files for training and testing; raises InputError if one is damaged."""
    (train, test), source = (read_split(path) for path in files), str(files[0].parent)
    notes = [f"{path} is not the published file: {note}." for path in files if (note := differs(path, DIGESTS))]
    return assemble(name, train, test, CLASSES, source, notes=notes)


def is_at(folder: Path) -> bool:
    """Whether a folder has the files for training and testing."""
    return all((folder / file).is_file() for file in FILES)


def at(path: Path, reading: Reading) -> Dataset:
    """The data set in a folder of both files, or in one file of this form, a sixth of which is for testing."""
    if path.is_dir():
        return read_files(str(path.resolve()), [path / file for file in FILES])
    train, test, _, notes = parts_of({"train": read_split(path)}, str(path))
    return assemble(str(path.resolve()), train, test, CLASSES, str(path), notes=notes)


def read_split(path: Path) -> Split:
    """The images and labels in one file."""
    arrays = matlab.read(path, ("X", "y"))
    if missing := {"X", "y"} - arrays.keys():
        raise InputError(f"{path} lacks the arrays {', '.join(sorted(missing))}; a file of SVHN's has X and y.")
    images = arrays["X"]
    if images.ndim != 4:
        raise InputError(f"{path} has X of shape {list(images.shape)}; it must be [h, w, c, n].")
    return split(np.ascontiguousarray(images.transpose(3, 0, 1, 2)), arrays["y"].reshape(-1) % 10, str(path))


SVHN = Published(
    name="svhn",
    classes=CLASSES,
    folders=("", "svhn", "SVHN"),
    url="http://ufldl.stanford.edu/housenumbers/",
    digests=DIGESTS,
    files=FILES,
    shape=(32, 32, 3),
    read=read_files,
    tfds_name="svhn_cropped",
)
svhn = Known(SVHN)
