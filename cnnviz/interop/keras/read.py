"""Reading a Keras file, `.h5` or `.keras`: no code from the file is run, and HDF5 is read in another process."""

import re
import zipfile
import zlib
from collections import Counter
from io import BufferedReader
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile

from cnnviz.errors import InputError
from cnnviz.interop.archives import check_member
from cnnviz.interop.keras import hdf5
from cnnviz.interop.keras.config import LONGEST, Described, parse, read_chain, shortly
from cnnviz.interop.keras.layers import layer_of
from cnnviz.interop.keras.weights import places_by_class, places_by_name, read_variables
from cnnviz.interop.linen.sequential import Sequential
from cnnviz.types import Variables


def load_keras(path: str | Path) -> tuple[Sequential, Variables]:
    """The model and the variables of a Keras file; layers keep their names and have the same outputs as in Keras.

    The model must be a Sequential, or a Functional model that is one chain, of the layers in `keras.layers.LAYERS`.
    Weights are read as float32. A final softmax is kept; `probe.score_of` explains its input. Raises InputError if the
    file is damaged or its model is not supported.
    """
    path = Path(path)
    try:
        return _load(path)
    except InputError as error:
        raise InputError(f"{path} cannot be read as a Keras model: {error}") from error
    except RecursionError as error:
        raise InputError(f"{path} cannot be read as a Keras model: its description is nested too deeply.") from error


def _load(path: Path) -> tuple[Sequential, Variables]:
    if path.is_dir():
        raise InputError("it is a folder; a model is saved to one file with model.save('model.keras').")
    if path.exists() and not path.is_file():
        raise InputError("it is a device or a pipe; a model is saved to one file with model.save('model.keras').")
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(b"PK"):
            return _load_zip(file)
        if start == b"\x89HDF\r\n\x1a\n":
            return _load_h5(hdf5.read(file))
    raise InputError(f"it is neither HDF5 (.h5) nor a zip archive (.keras); it starts with {start!r}.")


def _load_h5(file: hdf5.Group) -> tuple[Sequential, Variables]:
    config, weights = hdf5.text(file, "model_config"), hdf5.follow(file, "model_weights")
    if config is None:
        raise InputError(_without_config(file))
    if weights is None:
        raise InputError("it has a model's description and no group model_weights; a whole model has both.")
    if hdf5.text(file, "backend") == "theano":
        raise InputError("its kernels are mirrored, as the backend Theano has them; save it with another backend.")
    model, described = _model(config, hdf5.text(file, "keras_version"))
    return model, read_variables(model, places_by_name([layer.name for layer in described], weights), weights)


def _without_config(file: hdf5.Group) -> str:
    saved = hdf5.texts(file, "layer_names") is not None or hdf5.children(file, "layers")
    if saved:
        return "it has weights and no description of the model, as model.save_weights writes; save it with model.save."
    return "it is an HDF5 file with no attribute model_config, so not a model that Keras saved."


def _load_zip(file: BufferedReader) -> tuple[Sequential, Variables]:
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
        model, described = _model(config, version)
        opened = hdf5.read(weights)
    names, kinds = [layer.name for layer in described], [layer.kind for layer in described]
    return model, read_variables(model, places_by_class(names, kinds, opened), opened)


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


def _model(config: str, version: object) -> tuple[Sequential, list[Described]]:
    described, image_shape = read_chain(config, _major(version))
    names = [layer.name for layer in described]
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise InputError(f"two layers have the name {min(twice)!r}; each must have its own.")
    layers = tuple((layer.name, layer_of(layer)) for layer in described)
    height, width, channels = image_shape
    return Sequential(layers, (height, width, channels)), described


def _major(version: object) -> int:
    """The first number of a version such as "2.9.0" or "2.4.0-tf"; a file without a version is from Keras 1."""
    first = str(version or "1").split(".")[0]
    if not re.fullmatch("[0-9]{1,4}", first):
        raise InputError(f"it says that it was written by Keras {shortly(version)}, which is not a version.")
    return int(first)
