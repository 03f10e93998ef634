"""Data sets that TensorFlow Datasets has prepared on this machine, read without TensorFlow."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from cnnviz.data import cache, pictures
from cnnviz.data.dataset import Dataset, Split, Unavailable, assemble, hold_out, split
from cnnviz.errors import InputError

INFO = "dataset_info.json"


def root() -> Path:
    """Where TFDS keeps data sets: `TFDS_DATA_DIR`, or `tensorflow_datasets` at home."""
    return Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets").expanduser()


def directory(name: str, place: Path) -> Path | None:
    """The folder of a data set's newest prepared version in a TFDS directory; of the first config, if none is named."""
    if not is_name(name):
        return None
    path, _, version = name.partition(":")
    folder = place / path
    configs = [folder, *sorted(entry for entry in folder.glob("*") if not _version(entry))]
    prepared = [_newest(config, version) for config in configs]
    return next((found for found in prepared if found), None)


def read(name: str, path: Path) -> Dataset:
    """The data set in a prepared directory (array_record, parquet or tfrecord), in the order of its records."""
    files = sorted(file for file in path.iterdir() if file.is_file())
    place = str(path.resolve())
    return cache.remembered(name, place, cache.stamp(files), lambda: _decode(name, path))


def is_name(name: str) -> bool:
    """Whether this could be a TFDS name: `name`, `name/config`, `name:1.2.3` or `name/config:1.2.3`."""
    return re.fullmatch(r"\w+(/[\w.+-]+)?(:\d+\.\d+\.\d+)?", name) is not None


def is_registered(name: str) -> bool:
    """Whether the TFDS installed here knows this name, prepared or not."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:  # it does not start on every system
        return False
    return re.split("[/:]", name)[0] in tfds.list_builders(with_community_datasets=False)


def missing(name: str, places: list[Path]) -> NoReturn:
    """The error for a data set that TFDS knows and that is not prepared here."""
    raise Unavailable(
        f"{name} is known to TFDS and not prepared in {' or '.join(map(str, places))}; where TensorFlow is installed, "
        f"`tfds build {name} --file_format=array_record` prepares it."
    )


def _version(folder: Path) -> tuple[int, ...] | None:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", folder.name)
    return tuple(map(int, found.groups())) if found else None


def _newest(folder: Path, version: str) -> Path | None:
    versions = [entry for entry in folder.glob(version or "*") if _version(entry) and (entry / INFO).is_file()]
    return max(versions, key=lambda entry: _version(entry) or (), default=None)


def _decode(name: str, path: Path) -> Dataset:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(path)
    except Exception as error:  # TFDS raises whatever its parsers raise
        raise InputError(f"{path} is no data set that TFDS can open ({type(error).__name__}: {error}).") from error
    parts = [part for part in ("train", "test", "validation") if part in builder.info.splits][:2]
    if parts[:1] != ["train"]:
        raise InputError(f"{path} has the splits {', '.join(builder.info.splits) or 'none'}; cnnviz needs train.")
    features: Any = builder.info.features
    image, label = _keys(features, path)
    splits = [_split(builder, part, image, label, path) for part in parts]
    train, test = splits if splits[1:] else hold_out(splits[0], str(path))
    return assemble(name, train, test, features[label].names, str(path))


def _keys(features: Any, path: Path) -> tuple[str, str]:
    """Under which names each example has its image and its class."""
    import tensorflow_datasets as tfds

    first = lambda kind: next((key for key, feature in features.items() if isinstance(feature, kind)), None)
    image, label = first(tfds.features.Image), first(tfds.features.ClassLabel)
    if image is None or label is None:
        raise InputError(f"{path} has the features {', '.join(features)}; needed are an Image and a ClassLabel.")
    return image, label


def _split(builder: Any, part: str, image: str, label: str, path: Path) -> Split:
    """One part, its images decoded with Pillow: TFDS would ask for OpenCV, and for TensorFlow on some systems."""
    where = f"{path} ({part})"
    try:
        examples = [(example[image], example[label]) for example in _examples(builder, part, image)]
    except Exception as error:  # the readers of each format raise errors of their own
        raise InputError(f"{where} cannot be read ({type(error).__name__}: {error}); prepare it anew.") from error
    if not examples:
        raise InputError(f"{where} is empty.")
    named = ((f"image {index} of {where}", io.BytesIO(encoded)) for index, (encoded, _) in enumerate(examples))
    return split(pictures.stack(named), np.array([number for _, number in examples]), where)


def _examples(builder: Any, part: str, image: str) -> Iterator[dict[str, Any]]:
    """The examples of a part with images as encoded bytes, in the order of the records."""
    import tensorflow_datasets as tfds

    decoders = {image: tfds.decode.SkipDecoding()}
    if builder.info.file_format == tfds.core.FileFormat.TFRECORD:
        for file in builder.info.splits[part].filepaths:
            for record in _records(Path(file)):
                yield builder.info.features.deserialize_example_np(record, decoders=decoders)
    else:
        source = builder.as_data_source(part, decoders=decoders)
        yield from (source[index] for index in range(len(source)))


def _records(file: Path) -> Iterator[bytes]:
    """The records of a TFRECORD file: each has its length and that one's checksum before it, a checksum behind it."""
    with open(file, "rb") as stream:
        while head := stream.read(12):
            length = int.from_bytes(head[:8], "little")
            if len(head) < 12 or length > file.stat().st_size:
                raise EOFError(f"{file} ends early")
            yield stream.read(length)
            stream.read(4)
