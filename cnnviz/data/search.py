"""Search for a published data set: prepared by TFDS, as IDX files or as `.npz` in the usual places; then a download."""

import os
from functools import partial
from pathlib import Path

from cnnviz.data import cache, download, idx, npz, tfds
from cnnviz.data.dataset import Dataset, Unavailable, assemble, split
from cnnviz.data.home import expanded
from cnnviz.data.published import FASHION_MNIST, FILES, KMNIST, MNIST, Published

SYSTEM = Path("/usr/share/datasets")  # where Debian's packages install data sets


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
    return _read_files(published, _files(folder))


fashion_mnist, mnist, kmnist = (partial(find, published) for published in (FASHION_MNIST, MNIST, KMNIST))


def places(data_dir: Path | None) -> list[Path]:
    """The folders of this machine that are searched, in order; `data_dir` first."""
    keras, caches = expanded(os.environ.get("KERAS_HOME") or "~/.keras"), cache.folder()
    usual = [tfds.root(), keras and keras / "datasets", Path("data"), SYSTEM, caches and caches / "downloads"]
    return [place for place in (data_dir, *usual) if place]


def downloads(published: Published) -> Path:
    """The folder that the files of a data set are downloaded to; raises Unavailable if there is no cache folder."""
    if (caches := cache.folder()) is None:
        raise Unavailable("there is no folder to download to; set CNNVIZ_CACHE")
    return caches / "downloads" / published.name


def _look(published: Published, place: Path, chosen: bool) -> tuple[Dataset | None, str]:
    """The data set in one place, or None and a note that names missing files; `chosen` is true of `data_dir`."""
    if prepared := tfds.directory(published.name, place):
        return tfds.read(published.name, prepared), ""
    # Only in data_dir may the files lie without a subfolder: elsewhere they could be those of another data set.
    folders = [place / folder for folder in published.folders] + ([place] if chosen else [])
    found = {folder: _files(folder) for folder in folders}
    for folder in (folder for folder in folders if len(found[folder]) == len(FILES)):
        return _read_files(published, found[folder]), ""
    if (file := place / f"{published.name}.npz").is_file():
        return npz.read(file, published.name, published.classes), ""
    part = next((folder for folder in folders if found[folder]), None)
    return None, f" ({part} lacks {', '.join(name for name in FILES if name not in found[part])})" if part else ""


def _files(folder: Path) -> dict[str, Path]:
    """The files that a folder has of the four, plain or gzipped; older archives write `.idx` for `-idx`."""
    spellings = lambda name: (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz")
    paths = {name: [folder / spelling for spelling in spellings(name)] for name in FILES}
    return {name: path for name in FILES if (path := next((path for path in paths[name] if path.is_file()), None))}


def _read_files(published: Published, files: dict[str, Path]) -> Dataset:
    """The data set in four IDX files, each compared with its published checksum when it is decoded."""
    folder = files[FILES[0]].resolve().parent

    def decode() -> Dataset:
        arrays = [idx.read(files[name], published.digests) for name in FILES]
        train, test = split(arrays[0], arrays[1], f"{folder} (train)"), split(arrays[2], arrays[3], f"{folder} (t10k)")
        return assemble(published.name, train, test, published.classes, str(folder))

    return cache.remembered(published.name, str(folder), cache.stamp(files.values()), decode)


def _what_to_do(published: Published, tried: list[str], reason: str) -> str:
    package = f"apt-get install {published.package}, or " if published.package else ""
    return (
        f"{published.name} is not on this machine and cannot be downloaded ({reason}); looked in {', '.join(tried)}; "
        f"{package}give --data-dir a folder with {published.url}{FILES[0]}.gz and the other three files, "
        "or use --dataset garments, which needs no files."
    )
