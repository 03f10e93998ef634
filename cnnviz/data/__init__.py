"""DATASETS: images and labels as uint8 arrays, from wherever they are; TensorFlow is never needed.

A data set's name is a key of DATASETS, also as other libraries spell it, the name of one that TFDS has prepared here,
or a path: of a folder with one subfolder per class, an `.npz` file, or what else `paths` lists. Each entry is a
function of the folder to search first, or None.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cnnviz.data import folder, names, paths
from cnnviz.data.dataset import Dataset, Split, Unavailable, fingerprint_of
from cnnviz.data.home import data_folder, expanded
from cnnviz.data.pictures import Reading, resized
from cnnviz.data.published import FASHION_MNIST
from cnnviz.errors import InputError, needs_extra
from cnnviz.errors.wording import size
from cnnviz.registry import resolve

__all__ = [
    "DATASETS",
    "Dataset",
    "Reading",
    "Split",
    "Unavailable",
    "check_names",
    "first_available",
    "fitting",
    "known_classes",
    "load",
    "prepare",
]

DATASETS = {
    "fashion_mnist": "cnnviz.data.search:fashion_mnist",
    "mnist": "cnnviz.data.search:mnist",
    "kmnist": "cnnviz.data.search:kmnist",
    "garments": "cnnviz.data.garments:garments",
    "cifar10": "cnnviz.data.cifar:cifar10",
    "cifar100": "cnnviz.data.cifar:cifar100",
    "svhn": "cnnviz.data.svhn:svhn",
    "emnist_balanced": "cnnviz.data.emnist:balanced",
    "emnist_byclass": "cnnviz.data.emnist:byclass",
    "emnist_bymerge": "cnnviz.data.emnist:bymerge",
    "emnist_digits": "cnnviz.data.emnist:digits",
    "emnist_letters": "cnnviz.data.emnist:letters",
    "emnist_mnist": "cnnviz.data.emnist:mnist",
    "pathmnist": "cnnviz.data.medmnist:pathmnist",
    "dermamnist": "cnnviz.data.medmnist:dermamnist",
    "octmnist": "cnnviz.data.medmnist:octmnist",
    "pneumoniamnist": "cnnviz.data.medmnist:pneumoniamnist",
    "retinamnist": "cnnviz.data.medmnist:retinamnist",
    "breastmnist": "cnnviz.data.medmnist:breastmnist",
    "bloodmnist": "cnnviz.data.medmnist:bloodmnist",
    "tissuemnist": "cnnviz.data.medmnist:tissuemnist",
    "organamnist": "cnnviz.data.medmnist:organamnist",
    "organcmnist": "cnnviz.data.medmnist:organcmnist",
    "organsmnist": "cnnviz.data.medmnist:organsmnist",
}


def load(
    name: str | Path,
    data_dir: str | Path | None = None,
    *,
    resize: int | str | Sequence[int] | None = None,
    skip_unreadable: bool = False,
    image_shape: str | Sequence[int] | None = None,
) -> Dataset:
    """The data set of that name, or at that path; `data_dir` is searched before the usual places.

    `resize` is the size that all images are brought to: a side, a height and a width, or text such as "24x32". Pictures
    that cannot be read are an error, or left out with `skip_unreadable`, which the data set's notes say. `image_shape`
    is the shape of one image in an `.npz` whose arrays leave it open: (128, 9) or "128,9" for signals.

    Raises Unavailable, which lists the places, if a known data set cannot be found or downloaded (another one is never
    loaded instead), and InputError if the name is unknown or a file is damaged.
    """
    return _loader(str(name), data_folder(data_dir), Reading.of(resize, skip_unreadable, image_shape))()


def first_available(
    names: str | Sequence[str],
    data_dir: str | Path | None = None,
    *,
    resize: int | str | Sequence[int] | None = None,
    skip_unreadable: bool = False,
    image_shape: str | Sequence[int] | None = None,
) -> tuple[Dataset, str]:
    """The first data set of a list that is available, and a line that says which, from where, and why no earlier one.

    Its notes follow, one per line. `resize`, `skip_unreadable` and `image_shape` are those of `load`.

    Only an Unavailable data set is passed over: raises InputError for a damaged file, or an unknown name anywhere in
    the list.
    """
    passed: list[str] = []
    loaders = _loaders(names, data_dir, Reading.of(resize, skip_unreadable, image_shape))
    for name, loader in loaders.items():
        try:
            dataset = loader()
        except Unavailable as reason:
            passed.append(str(reason))
        else:
            line = " ".join([f"Data set {name} from {dataset.source}.", *passed])
            if passed and name == "garments":
                line = f"WARNING: synthetic garments take the place of {next(iter(loaders))}. {line}"
            return dataset, "\n".join([line, *(f"note: {note}" for note in dataset.notes)])
    raise Unavailable(" ".join(passed))


def check_names(names: str | Sequence[str], data_dir: str | Path | None = None) -> None:
    """Raises InputError if one of the names is unknown or the folder does not exist; no data set is read."""
    _loaders(names, data_dir, Reading.of(None, False))


def known_classes(names: str | Sequence[str], data_dir: str | Path | None = None) -> list[str]:
    """The classes of all data sets of a list, found out without reading an image; none if one's are not known before.

    Known are those of folders of images, of `garments`, and of published data sets unless TFDS has prepared them.
    """
    found = [_classes(name, data_folder(data_dir)) for name in _listed(names)]
    return [] if not all(found) else list(dict.fromkeys(one for classes in found for one in classes))


def _classes(name: str, data_dir: Path | None) -> Sequence[str]:
    path = expanded(name) or Path(name)
    if name not in DATASETS:
        is_folder = path.is_dir() and paths.reader(path) is folder.read
        return folder.known_classes(path) if is_folder else ()
    known = getattr(resolve(DATASETS, name, "data set"), "known_classes", None)
    return FASHION_MNIST.classes if name == "garments" else known(data_dir) if known else ()


def fitting(image_shape: Sequence[int], classes: int) -> list[str]:
    """The names in DATASETS of those with images of this shape and this many classes; none of them is loaded."""
    wanted = (tuple(image_shape), classes)
    return [name for name in DATASETS if getattr(resolve(DATASETS, name, "data set"), "fits", wanted) == wanted]


def prepare(name: str | Path, data_dir: str | Path | None = None) -> Path:
    """Writes a data set as a standard TFDS one into `data_dir`, by default TFDS's directory, and returns its folder.

    `tfds.data_source(name)` then works there for every user of TFDS. A data set that is already prepared is left as it
    is. Raises InputError if it would be written among the data set's own classes.
    """
    from cnnviz.data import tfds

    with needs_extra("tfds", f"{name} cannot be prepared"):
        from cnnviz.data import builder
    place = data_folder(data_dir)
    if (target := place or tfds.root()) is None:
        raise InputError(
            f"{name} cannot be prepared without a home directory to put it in; name a folder by --data-dir."
        )
    if prepared := tfds.directory(str(name), target):
        return prepared
    dataset = load(name, place)
    written = (target / dataset.title).resolve()
    if Path(dataset.name).is_dir() and written.is_relative_to(dataset.name):
        raise InputError(f"{written} would be among the classes of {name}; choose another --data-dir.")
    return builder.write(dataset, target)


def _loaders(
    names: str | Sequence[str], data_dir: str | Path | None, reading: Reading
) -> dict[str, Callable[[], Dataset]]:
    """A function that loads each of the data sets that are listed, by name."""
    place = data_folder(data_dir)
    return {name: _loader(name, place, reading) for name in _listed(names)}


def _listed(names: str | Sequence[str]) -> list[str]:
    """The names, or paths, in a list; raises InputError if one is empty."""
    listed = [names] if isinstance(names, str) and Path(names).exists() else names  # a path may contain commas
    listed = [name.strip() for name in (listed.split(",") if isinstance(listed, str) else listed)]
    if not all(listed) or not listed:
        raise InputError(f"The data sets {names!r} lack a name; give one, or several separated by commas.")
    return listed


def _loader(name: str, data_dir: Path | None, reading: Reading) -> Callable[[], Dataset]:
    """A function that loads the data set; raises InputError now, before a file is read, if the name is unknown."""
    from cnnviz.data import tfds

    path = expanded(name) or Path(name)
    if known := name if name in DATASETS else None if path.exists() else names.meant(name, DATASETS):
        return lambda: _sized(resolve(DATASETS, known, "data set")(data_dir), reading)
    if path.exists() or not (tfds.is_name(name) or names.is_name(name)):
        read = paths.reader(path)
        return lambda: _sized(read(path, reading), reading)
    places = [place for place in (data_dir, tfds.root()) if place]
    if prepared := next((found for place in places if (found := tfds.directory(name, place))), None):
        return lambda: _sized(tfds.read(name, prepared), reading)
    if not tfds.is_registered(name):
        if "/" in name:
            raise InputError(
                f"{name} is neither a folder nor a data set; give a folder with one subfolder per class, or a name."
            )
        raise names.unknown(name, DATASETS)
    return lambda: tfds.missing(name, places)


def _sized(dataset: Dataset, reading: Reading) -> Dataset:
    """The data set with images of the size that is asked for, which those of folders have already."""
    if reading.resize is None or dataset.train.images.shape[1:3] == reading.resize:
        return dataset
    if dataset.train.images.ndim != 4:
        sides = size(dataset.train.images.shape[1:])
        raise InputError(f"resize is for pictures; the images of {dataset.title} are {sides}.")
    sized = lambda split: split and Split(resized(split.images, reading.resize), split.labels)
    train, test, validation = (sized(split) for split in (dataset.train, dataset.test, dataset.validation))
    fingerprint = fingerprint_of(train, test, dataset.classes, validation)
    changed = replace(dataset, train=train, test=test, validation=validation, fingerprint=fingerprint)
    return replace(changed, notes=(*dataset.notes, *reading.notes))
