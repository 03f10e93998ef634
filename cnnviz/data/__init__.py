"""DATASETS: images and labels as uint8 arrays, from wherever they are; TensorFlow is never needed.

A data set is given by a name below, by a name that TFDS has prepared on this machine, or by the path of an `.npz` file
or of a folder of images by class. Each entry is a function of the folder to look in first.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from cnnviz.data.dataset import Dataset, Split, Unavailable
from cnnviz.errors import InputError, unknown
from cnnviz.registry import resolve

__all__ = ["DATASETS", "Dataset", "Split", "Unavailable", "first_available", "load", "prepare"]

DATASETS = {
    "fashion_mnist": "cnnviz.data.published:FASHION_MNIST",
    "mnist": "cnnviz.data.published:MNIST",
    "kmnist": "cnnviz.data.published:KMNIST",
    "garments": "cnnviz.data.garments:garments",
}


def load(name: str | Path, data_dir: str | Path | None = None) -> Dataset:
    """The data set of that name, or at that path; `data_dir` is looked in before the usual places.

    One that is known and cannot be had is an Unavailable that lists the places; it is never replaced by another.
    """
    return _loader(str(name), _folder(data_dir))()


def first_available(names: str | Sequence[str], data_dir: str | Path | None = None) -> tuple[Dataset, str]:
    """The first data set of a list that can be had, and a line that says which, from where, and why not an earlier one.

    Only one that is Unavailable is passed over; a damaged file or an unknown name anywhere in the list is an error.
    """
    given = [names] if isinstance(names, str) and Path(names).exists() else names  # a path may have commas
    listed = [name.strip() for name in (given.split(",") if isinstance(given, str) else given)]
    if not all(listed) or not listed:
        raise InputError(f"The data sets {names!r} lack a name; give one, or several with commas between them.")
    folder = _folder(data_dir)
    loaders = {name: _loader(name, folder) for name in listed}
    passed: list[str] = []
    for name, loader in loaders.items():
        try:
            dataset = loader()
        except Unavailable as reason:
            passed.append(str(reason))
        else:
            return dataset, " ".join([f"Data set {name} from {dataset.source}.", *passed])
    raise Unavailable(" ".join(passed))


def prepare(name: str | Path, data_dir: str | Path | None = None) -> Path:
    """Writes a data set as a standard TFDS one into `data_dir`, or TFDS's own directory, and gives its folder.

    `tfds.data_source(name)` then works for every user of TFDS there; one that is prepared already is left as it is.
    """
    from cnnviz.data import builder, tfds

    folder = _folder(data_dir)
    if prepared := tfds.directory(str(name), folder or tfds.root()):
        return prepared
    return builder.write(load(name, folder), folder or tfds.root())


def _folder(data_dir: str | Path | None) -> Path | None:
    if data_dir is None:
        return None
    if (path := Path(data_dir).expanduser()).is_dir():
        return path
    raise InputError(f"There is no folder {data_dir}; --data-dir names one that exists.")


def _loader(name: str, data_dir: Path | None) -> Callable[[], Dataset]:
    """What loads a data set, before anything of it is read; a name that nothing goes by is an error here."""
    from cnnviz.data import tfds

    if name in DATASETS:
        return lambda: resolve(DATASETS, name, "data set")(data_dir)
    if (path := Path(name).expanduser()).exists() or not tfds.is_name(name):
        return _at(path)
    places = [place for place in (data_dir, tfds.root()) if place]
    if prepared := next((found for place in places if (found := tfds.directory(name, place))), None):
        return lambda: tfds.read(name, prepared)
    if not tfds.is_registered(name):
        if "/" in name:
            raise InputError(f"{name} is no folder and no data set; give a folder of images by class, or a name.")
        raise unknown("data set", name, DATASETS)
    return lambda: tfds.missing(name, places)


def _at(path: Path) -> Callable[[], Dataset]:
    """What loads the data set at a path."""
    from cnnviz.data import folder, npz

    if path.is_dir():
        return lambda: folder.read(path)
    if path.suffix == ".npz" and path.is_file():
        return lambda: npz.read(path)
    fault = "is neither a folder of images nor an .npz file" if path.exists() else "does not exist"
    raise InputError(f"{path} {fault}; give a folder with one sub-folder a class, an .npz file, or a data set's name.")
