"""What a Keras file holds: a description as JSON, and weights in HDF5."""

import re
import zipfile
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO

from cnnviz.errors import InputError
from cnnviz.interop.archives import check_member
from cnnviz.interop.keras import hdf5
from cnnviz.interop.keras.config import LONGEST, parse
from cnnviz.interop.keras.fields import shortly

ZIP, HDF5 = b"PK", b"\x89HDF\r\n\x1a\n"
ONE_FILE = "a model is saved to one file with model.save('model.keras')."


@dataclass(frozen=True)
class Contents:
    """A model's description with the major version of Keras that wrote it, and its weights, each if the file has it.

    The groups of weights are named by layer (`by_name`), or by class and number.
    """

    config: str = ""
    keras: int = 3
    weights: hdf5.Group | None = None
    by_name: bool = False


def contents(path: Path) -> Contents:
    """A whole model, or a description in JSON. Raises InputError if the file is damaged or something else."""
    with _opened(path) as file:
        start = file.read(8)
        if start.startswith(ZIP):
            return _of_zip(file)
        if start == HDF5:
            return _of_model(hdf5.read(file))
        if start.lstrip().startswith(b"{"):
            return _of_json(file)
    raise InputError(f"it is neither HDF5 (.h5) nor a zip archive (.keras); it starts with {start!r}.")


def weights_of_file(path: Path) -> Contents:
    """The weights in a file, with or without a model. Raises InputError if it is damaged or has none."""
    with _opened(path) as file:
        start = file.read(8)
        if start.startswith(ZIP):
            return _of_zip(file)
        if start != HDF5:
            raise InputError(f"it is neither HDF5 (.weights.h5) nor a zip archive (.keras); it starts with {start!r}.")
        found = hdf5.read(file)
    if (whole := hdf5.follow(found, "model_weights")) is not None:
        return Contents(weights=whole, by_name=True)
    if not has_weights(found):
        raise InputError("it is an HDF5 file without weights of layers, as save_weights writes them.")
    return Contents(weights=found, by_name=hdf5.texts(found, "layer_names") is not None)


def has_weights(file: hdf5.Group) -> bool:
    """Whether the file has weights without a description, as `save_weights` writes them."""
    roots = ("layers", "_layer_checkpoint_dependencies")
    return hdf5.texts(file, "layer_names") is not None or any(hdf5.children(file, root) for root in roots)


def _opened(path: Path) -> BufferedReader:
    if path.is_dir():
        raise InputError(f"it is a folder; {ONE_FILE}")
    if path.exists() and not path.is_file():
        raise InputError(f"it is a device or a pipe; {ONE_FILE}")
    return path.open("rb")


def _of_model(file: hdf5.Group) -> Contents:
    config, weights = hdf5.text(file, "model_config"), hdf5.follow(file, "model_weights")
    if config is None and has_weights(file):
        raise InputError(
            "it has weights and no description of the model, as model.save_weights writes; save it with model.save."
        )
    if config is None:
        raise InputError("it is an HDF5 file with no attribute model_config, so not a model that Keras saved.")
    if weights is None:
        raise InputError("it has a model's description and no group model_weights; a whole model has both.")
    if hdf5.text(file, "backend") == "theano":
        raise InputError("its kernels are mirrored, as the backend Theano has them; save it with another backend.")
    return Contents(config, _major(hdf5.text(file, "keras_version")), weights, by_name=True)


def _of_json(file: IO[bytes]) -> Contents:
    """The description that `to_json` writes, with a version in Keras 2."""
    file.seek(0)
    config = file.read(LONGEST + 1).decode(errors="replace")
    model = parse(config, "the model's description")
    version = "3" if "module" in model else str(model.get("keras_version", "2"))
    return Contents(config, _major(version))


def _of_zip(file: BufferedReader) -> Contents:
    with TemporaryFile() as weights:
        try:
            with zipfile.ZipFile(file) as archive:
                config, metadata = (_text(archive, name) for name in ("config.json", "metadata.json"))
                version = parse(metadata, "metadata.json").get("keras_version")
                with archive.open(_member(archive, "model.weights.h5")) as packed:
                    copyfileobj(packed, weights)
        except InputError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise InputError(f"the zip archive is damaged or cut off ({error}).") from error
        weights.seek(0)
        return Contents(config, _major(version), hdf5.read(weights))


def _text(archive: zipfile.ZipFile, name: str) -> str:
    info = _member(archive, name, LONGEST)
    with archive.open(info) as packed:
        return packed.read(info.file_size).decode()  # without a size, read() would unpack more than the claimed size


def _member(archive: zipfile.ZipFile, name: str, largest: int | None = None) -> zipfile.ZipInfo:
    """A member of the archive; raises InputError if it is missing or claims far more bytes than are stored."""
    if name not in archive.namelist():
        raise InputError(f"there is no {name} in it; a .keras file has config.json, metadata.json, model.weights.h5.")
    info = archive.getinfo(name)
    check_member(archive, info, "Keras", "a model", stored=info.compress_size, largest=largest)
    return info


def _major(version: object) -> int:
    """The first number of a version such as "2.9.0" or "2.4.0-tf"; a file without a version is from Keras 1."""
    first = str(version or "1").split(".")[0]
    if not re.fullmatch("[0-9]{1,4}", first):
        raise InputError(f"it says that it was written by Keras {shortly(version)}, which is not a version.")
    return int(first)
