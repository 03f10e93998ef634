"""What a data set's path may be: files by their ending, and folders that are told apart by what they hold."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from pkgutil import resolve_name

from cnnviz.data.dataset import Dataset
from cnnviz.data.pictures import Reading
from cnnviz.errors import InputError

# each a function of the path and of how pictures are read
FILES = {
    ".npz": "cnnviz.data.npz:at",
    ".csv": "cnnviz.data.table:at",
    ".tsv": "cnnviz.data.table:at",
    ".tar.gz": "cnnviz.data.cifar:at",
    ".tgz": "cnnviz.data.cifar:at",
    ".tar": "cnnviz.data.cifar:at",
    ".zip": "cnnviz.data.idx_sets:at",
    ".mat": "cnnviz.data.svhn:at",
}
# modules with such a function `at` and one, `is_at`, that says whether a folder holds that kind of data set
FOLDERS = ("cnnviz.data.tfds", "cnnviz.data.cifar", "cnnviz.data.svhn", "cnnviz.data.idx_sets")
ANY_FOLDER = "cnnviz.data.folder:read"

PICKLE = "is a pickle, which could run any code and is never read; save the arrays by numpy.savez"
ONE_OF_SEVERAL = "is one file of a data set; name the folder that has all of them"
ARRAYS = "save its images and labels together by numpy.savez"
REFUSED = {
    ".pkl": PICKLE,
    ".pickle": PICKLE,
    ".npy": f"is a single array; {ARRAYS}",
    ".pt": f"is a file of PyTorch's; {ARRAYS}",
    ".h5": f"is an HDF5 file; {ARRAYS}",
    ".hdf5": f"is an HDF5 file; {ARRAYS}",
    ".parquet": f"is a Parquet file; {ARRAYS}",
    ".rar": "is an archive that is not read; unpack it and name the folder",
    ".7z": "is an archive that is not read; unpack it and name the folder",
    ".bin": ONE_OF_SEVERAL,
    ".gz": ONE_OF_SEVERAL,
}
NEAR = 0.75  # least similarity, by difflib, of a path that is suggested for one that does not exist
RIGHT = "give a folder with one subfolder per class, an .npz file, or a name"


def reader(path: Path) -> Callable[[Path, Reading], Dataset]:
    """The function that reads the data set at a path; raises InputError if there can be none."""
    if path.is_dir():
        module = next((module for module in FOLDERS if resolve_name(f"{module}:is_at")(path)), None)
        return resolve_name(f"{module}:at" if module else ANY_FOLDER)
    if not path.is_file():
        fault = "is neither a folder of images nor an .npz file" if path.exists() else "does not exist"
        raise InputError(f"{path} {fault}; {f'did you mean {found}?' if (found := near(path)) else f'{RIGHT}.'}")
    name = path.name.lower()
    if ending := next((ending for ending in FILES if name.endswith(ending)), None):
        return resolve_name(FILES[ending])
    if "-ubyte" in name or "_batch" in name:
        raise InputError(f"{path} {ONE_OF_SEVERAL}.")
    refused = REFUSED.get(path.suffix.lower())
    raise InputError(f"{path} {refused or f'is neither a folder of images nor an .npz file; {RIGHT}'}.")


def near(path: Path) -> Path | None:
    """The folder or file of data beside a path that does not exist which was probably meant, by its name."""
    if path.exists() or not path.parent.is_dir():
        return None
    names = [each.name for each in path.parent.iterdir() if each.is_dir() or each.name.lower().endswith((*FILES,))]
    found = get_close_matches(path.name, sorted(names), n=1, cutoff=NEAR)
    return path.parent / found[0] if found else None
