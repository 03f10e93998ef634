"""DATASETS: images and labels as uint8 arrays, from wherever they are; TensorFlow is never needed.

A data set's name is a key of DATASETS, the name of one that TFDS has prepared on this machine, or the path of an `.npz`
file or of a folder with one subfolder per class. Each entry is a function of the folder to search first, or None.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from cnnviz.data.dataset import Dataset, Split, Unavailable
from cnnviz.data.home import expanded
from cnnviz.errors import InputError, needs_extra, unknown
from cnnviz.registry import resolve

__all__ = ["DATASETS", "Dataset", "Split", "Unavailable", "first_available", "load", "prepare"]

DATASETS = {
    "fashion_mnist": "cnnviz.data.search:fashion_mnist",
    "mnist": "cnnviz.data.search:mnist",
    "kmnist": "cnnviz.data.search:kmnist",
    "garments": "cnnviz.data.garments:garments",
}


def load(name: str | Path, data_dir: str | Path | None = None) -> Dataset:
    """The data set of that name, or at that path; `data_dir` is searched before the usual places.

    Raises Unavailable, which lists the places, if a known data set cannot be found or downloaded (another one is never
    loaded instead), and InputError if the name is unknown or a file is damaged.
    """
    return _loader(str(name), _folder(data_dir))()


def first_available(names: str | Sequence[str], data_dir: str | Path | None = None) -> tuple[Dataset, str]:
    """The first data set of a list that is available, and a line that says which, from where, and why no earlier one.

    Only an Unavailable data set is passed over: raises InputError for a damaged file, or an unknown name anywhere in
    the list.
    """
    listed = [names] if isinstance(names, str) and Path(names).exists() else names  # a path may contain commas
    listed = [name.strip() for name in (listed.split(",") if isinstance(listed, str) else listed)]
    if not all(listed) or not listed:
        raise InputError(f"The data sets {names!r} lack a name; give one, or several separated by commas.")
    folder = _folder(data_dir)
    loaders = {name: _loader(name, folder) for name in listed}
    passed: list[str] = []
    for name, loader in loaders.items():
        try:
            dataset = loader()
        except Unavailable as reason:
            passed.append(str(reason))
        else:
            found = f"Data set {name} from {dataset.source}."
            if passed and name == "garments":
                found = f"WARNING: synthetic garments take the place of {listed[0]}. {found}"
            return dataset, " ".join([found, *passed])
    raise Unavailable(" ".join(passed))


def prepare(name: str | Path, data_dir: str | Path | None = None) -> Path:
    """Writes a data set as a standard TFDS one into `data_dir`, by default TFDS's directory, and returns its folder.

    `tfds.data_source(name)` then works there for every user of TFDS. A data set that is already prepared is left as it
    is.
    """
    from cnnviz.data import tfds

    with needs_extra("tfds", f"{name} cannot be prepared"):
        from cnnviz.data import builder
    folder = _folder(data_dir)
    if (target := folder or tfds.root()) is None:
        raise InputError(f"There is no home directory to prepare {name} in; name a folder with --data-dir.")
    if prepared := tfds.directory(str(name), target):
        return prepared
    return builder.write(load(name, folder), target)


def _folder(data_dir: str | Path | None) -> Path | None:
    if data_dir is None:
        return None
    if (path := expanded(data_dir)) and path.is_dir():
        return path
    raise InputError(f"The folder {data_dir} does not exist; --data-dir must be an existing one.")


def _loader(name: str, data_dir: Path | None) -> Callable[[], Dataset]:
    """A function that loads the data set; raises InputError now, before a file is read, if the name is unknown."""
    from cnnviz.data import tfds

    if name in DATASETS:
        return lambda: resolve(DATASETS, name, "data set")(data_dir)
    if (path := expanded(name) or Path(name)).exists() or not tfds.is_name(name):
        return _at(path)
    places = [place for place in (data_dir, tfds.root()) if place]
    if prepared := next((found for place in places if (found := tfds.directory(name, place))), None):
        return lambda: tfds.read(name, prepared)
    if not tfds.is_registered(name):
        if "/" in name:
            raise InputError(
                f"{name} is neither a folder nor a data set; give a folder with one subfolder per class, or a name."
            )
        raise unknown("data set", name, DATASETS)
    return lambda: tfds.missing(name, places)


def _at(path: Path) -> Callable[[], Dataset]:
    """A function that loads the data set at a path."""
    from cnnviz.data import folder, npz

    if path.is_dir():
        return lambda: folder.read(path)
    if path.suffix == ".npz" and path.is_file():
        return lambda: npz.read(path)
    fault = "is neither a folder of images nor an .npz file" if path.exists() else "does not exist"
    raise InputError(f"{path} {fault}; give a folder with one subfolder per class, an .npz file, or a name.")
