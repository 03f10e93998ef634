"""Writes a data set as TensorFlow Datasets does, but without TensorFlow, so that every user of TFDS finds it."""

import contextlib
import importlib.util
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from PIL import Image

from cnnviz.data.dataset import Dataset, Split
from cnnviz.errors import InputError


def write(dataset: Dataset, folder: Path) -> Path:
    """Prepares a data set in a TFDS directory and returns the folder of its version; an existing one is kept.

    TFDS itself writes to a temporary folder and renames it. Raises InputError if another data set has the name.
    """
    builder = _builder_class(dataset)(data_dir=folder, file_format=_file_format())
    if (path := Path(builder.data_path)).exists():
        return _same(path, dataset)
    # TFDS prints to stdout, shows progress bars, and would leave an empty folder for downloads behind.
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(download_dir=scratch)
    return path


def _same(path: Path, dataset: Dataset) -> Path:
    """The folder, if it holds this data set; raises InputError if it holds another one of the same name."""
    info = path / "dataset_info.json"
    if info.is_file() and dataset.fingerprint in info.read_text():
        return path
    raise InputError(f"{path} has another data set named {dataset.title}; choose another --data-dir.")


def version(name: str) -> str:
    """The version that the installed TFDS reads under this name; 1.0.0 if it does not know the name."""
    try:
        return str(tfds.builder_cls(name).VERSION)
    except (tfds.core.DatasetNotFoundError, ImportError):
        return "1.0.0"


def _file_format() -> str:
    """array_record where it is installed; elsewhere parquet, which needs only pyarrow."""
    return "array_record" if importlib.util.find_spec("array_record") else "parquet"


def _builder_class(dataset: Dataset) -> type[tfds.core.GeneratorBasedBuilder]:
    if not dataset.title.isidentifier():
        raise InputError(f"A TFDS name has only letters, digits and underscores; it was {dataset.title!r}.")
    facts = {"name": dataset.title, "VERSION": tfds.core.Version(version(dataset.title)), "dataset": dataset}
    # If registered, it would clash with the builder of that name in TFDS.
    return type("Prepared", (_Builder,), facts, skip_registration=True)  # type: ignore[call-overload]


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A TFDS builder that reads from arrays; images keep their order."""

    VERSION = tfds.core.Version("1.0.0")
    dataset: Dataset

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=self.dataset.train.images.shape[1:], encoding_format="png"),
            "label": tfds.features.ClassLabel(names=list(self.dataset.classes)),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.dataset.title} from {self.dataset.source}, SHA-256 {self.dataset.fingerprint}.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        splits = {"train": self.dataset.train, "test": self.dataset.test, "validation": self.dataset.validation}
        return {name: self._generate_examples(split) for name, split in splits.items() if split is not None}

    def _generate_examples(self, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            yield index, {"image": _png(image), "label": int(label)}


def _png(image: Any) -> bytes:
    """An image as PNG: TFDS stores encoded bytes as they are, but needs TensorFlow to encode an array."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()
