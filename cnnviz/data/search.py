"""Search for a published data set: prepared by TFDS, or as its files in the usual places; then a download."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnviz.data import cache, download, npz, tfds
from cnnviz.data.dataset import Dataset, Unavailable
from cnnviz.data.home import expanded
from cnnviz.data.published import FASHION_MNIST, FILES, KMNIST, MNIST, Form, Published

SYSTEM = Path("/usr/share/datasets")  # where Debian's packages install data sets


@dataclass(frozen=True)
class Known:
    """A published data set as an entry of DATASETS: called with a folder to search first, or None."""

    published: Published

    def __call__(self, data_dir: Path | None = None) -> Dataset:
        return find(self.published, data_dir)

    @property
    def fits(self) -> tuple[tuple[int, ...], int]:
        """The shape of its images and the number of its classes, known without loading it."""
        return self.published.shape, len(self.published.classes)

    def known_classes(self, data_dir: Path | None) -> Sequence[str]:
        """The names of its classes; none if it is prepared by TFDS, which may have given them other names."""
        names = [name for name in (self.published.name, self.published.tfds_name) if name]
        is_prepared = any(tfds.directory(name, place) for place in places(data_dir) for name in names)
        return () if is_prepared else self.published.classes


fashion_mnist, mnist, kmnist = Known(FASHION_MNIST), Known(MNIST), Known(KMNIST)


def find(published: Published, data_dir: Path | None = None) -> Dataset:
    """The data set from the first place that has it; raises Unavailable, which lists every place, if none has it."""
    tried = []
    for place in places(data_dir):
        dataset, note = _look(published, place, chosen=place == data_dir)
        if dataset is not None:
            return dataset
        tried.append(f"{place}{note}")
    try:
        download.fetch(published, folder := downloads(published))
    except Unavailable as reason:
        raise Unavailable(_what_to_do(published, tried, str(reason))) from reason
    return _read(published, published.forms[0], _files(folder, published.files))


def places(data_dir: Path | None) -> list[Path]:
    """The folders of this machine that are searched, in order; `data_dir` first."""
    keras, caches = expanded(os.environ.get("KERAS_HOME") or "~/.keras"), cache.folder()
    usual = [tfds.root(), keras and keras / "datasets", Path("data"), expanded("~/.medmnist"), SYSTEM]
    usual.append(caches and caches / "downloads")
    return [place for place in (data_dir, *usual) if place]


def downloads(published: Published) -> Path:
    """The folder that the files of a data set are downloaded to; raises Unavailable if there is no cache folder."""
    if (caches := cache.folder()) is None:
        raise Unavailable("there is no folder to download to; set CNNVIZ_CACHE")
    return caches / "downloads" / (published.store or published.name)


def _look(published: Published, place: Path, chosen: bool) -> tuple[Dataset | None, str]:
    """The data set in one place, or None and a note that names missing files; `chosen` is true of `data_dir`."""
    for name in filter(None, (published.name, published.tfds_name)):
        if prepared := tfds.directory(name, place):
            return tfds.read(published.name, prepared), ""
    lacking = ""
    for form in published.forms:
        # Only in data_dir may files lie without a subfolder whatever their names: elsewhere they could be another's.
        folders = [*form.folders, *([""] if chosen and "" not in form.folders else [])]
        found = {place / folder: _files(place / folder, form.files) for folder in folders}
        if complete := next((files for files in found.values() if len(files) == len(form.files)), None):
            return _read(published, form, complete), ""
        partly = next(((folder, files) for folder, files in found.items() if files), None)
        if partly and not lacking:
            lacking = f" ({partly[0]} lacks {', '.join(name for name in form.files if name not in partly[1])})"
    if (file := place / f"{published.name}.npz").is_file():
        return npz.read(file, published.name, published.classes), ""
    return None, lacking


def _files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The files that a folder has of these; IDX files plain or gzipped, also with `.idx` for `-idx` as in archives."""
    spellings = lambda name: (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz")
    paths = {name: [folder / each for each in (spellings(name) if "-idx" in name else (name,))] for name in names}
    return {name: path for name in names if (path := next((path for path in paths[name] if path.is_file()), None))}


def _read(published: Published, form: Form, files: dict[str, Path]) -> Dataset:
    """The data set in its files, which are compared with their published checksums when they are decoded."""
    paths = [files[name].resolve() for name in form.files]
    place = str(paths[0] if len(paths) == 1 else paths[0].parent)
    decode = lambda: form.read(published.name, paths)
    return cache.remembered(published.name, place, cache.stamp(paths), decode)


def _what_to_do(published: Published, tried: list[str], reason: str) -> str:
    package = f"apt-get install {published.package}, or " if published.package else ""
    (first, *others) = published.downloaded
    files = f"{published.address(first)}{' and the other three files' if len(others) == len(FILES) - 1 else ''}"
    files = f"{files} and {published.address(others[0])}" if len(others) == 1 else files
    return (
        f"{published.name} is not on this machine and cannot be downloaded ({reason}); looked in {', '.join(tried)}; "
        f"{package}give --data-dir a folder with {files}, or use --dataset garments, which needs no files."
    )
