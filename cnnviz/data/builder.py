"""Writing a data set the way TensorFlow Datasets does, without TensorFlow, so that every user of TFDS finds it."""

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
    """Prepares a data set in a TFDS directory and gives the folder of its version; what is there already stays.

    TFDS writes beside the place and renames, so that a failure leaves nothing that looks prepared.
    """
    builder = _builder_class(dataset)(data_dir=folder, file_format=_file_format())
    if (path := Path(builder.data_path)).exists():
        return _same(path, dataset)
    # TFDS announces itself on stdout and with progress bars, and would leave an empty folder for downloads behind.
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(download_dir=scratch)
    return path


def _same(path: Path, dataset: Dataset) -> Path:
    """A folder that has this very data set; another of the same name is in the way."""
    info = path / "dataset_info.json"
    if info.is_file() and dataset.fingerprint in info.read_text():
        return path
    raise InputError(f"{path} has another data set named {dataset.title}; choose another --data-dir.")


def version(name: str) -> str:
    """The version that the TFDS installed here would read under this name; 1.0.0 for what it does not know."""
    try:
        return str(tfds.builder_cls(name).VERSION)
    except (tfds.core.DatasetNotFoundError, ImportError):
        return "1.0.0"


def _file_format() -> str:
    """array_record where its wheel exists; parquet, which needs pyarrow alone, elsewhere."""
    return "array_record" if importlib.util.find_spec("array_record") else "parquet"


def _builder_class(dataset: Dataset) -> type[tfds.core.GeneratorBasedBuilder]:
    if not dataset.title.isidentifier():
        raise InputError(f"TFDS names are letters, digits and underscores; {dataset.title!r} is none.")
    facts = {"name": dataset.title, "VERSION": tfds.core.Version(version(dataset.title)), "dataset": dataset}
    # Registered, it would clash with TFDS's own builder of that name.
    return type("Prepared", (_Builder,), facts, skip_registration=True)  # type: ignore[call-overload]


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What TFDS asks of a builder, answered from arrays; images keep their order."""

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
        return {
            "train": self._generate_examples(self.dataset.train),
            "test": self._generate_examples(self.dataset.test),
        }

    def _generate_examples(self, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            yield index, {"image": _png(image), "label": int(label)}


def _png(image: Any) -> bytes:
    """An image as PNG: TFDS takes encoded bytes as they are, and arrays only with TensorFlow."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()
