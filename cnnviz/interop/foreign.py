"""What holds no network for us, told apart by its name: files of other programs, pictures, parts of a run; each with
what to do about it.
"""

import os
from pathlib import Path

from cnnviz.errors import InputError, no_run
from cnnviz.interop import READERS, WEIGHTS
from cnnviz.interop.picture_files import holds_pictures
from cnnviz.interop.place import is_run

WITH_MODEL = (
    "holds weights without their network; name its class too: --weights {path} --model path/to/net.py:Net "
    "--image-shape 28,28,1"
)
KINDS = {
    ".onnx": "is an ONNX graph, which is not read; convert its weights to safetensors or .npz in the names of a Flax "
    "network, and give them by --weights with --model",
    ".tflite": "is a TensorFlow Lite model, which is not read; save the Keras model as .keras",
    ".pb": "is a TensorFlow graph, which is not read; load it in Keras and save it as .keras",
    ".ckpt": "is a checkpoint of TensorFlow or Lightning, which is not read; save the Keras model as .keras, or the "
    "PyTorch weights as .safetensors",
    ".index": "is a TensorFlow checkpoint, which is not read; load it in Keras and save the model as .keras",
    ".pkl": "is a pickle, which could run any code and is never read; save the arrays as .npz or .safetensors",
    ".pickle": "is a pickle, which could run any code and is never read; save the arrays as .npz or .safetensors",
    ".npy": "is a single array, without names; save all arrays by numpy.savez as .npz",
    ".mlmodel": "is a Core ML model, which is not read; save the original network's weights as .safetensors",
    ".pt2": "is a PyTorch program, which is not read; save the weights alone by torch.save(model.state_dict(), path)",
}
SAVED_MODEL = "is a TensorFlow SavedModel, which is not read; load it in Keras and save it as .keras"

PICTURES = "(--image shows pictures, --dataset takes them as data)"
FOLDERS_IN_RUN = 3  # checkpoints/step_00000000/ is two folders deep


def check_network(path: Path) -> None:
    """Raises InputError for a path that is neither a run's directory nor named like a network's file."""
    if path.suffix in READERS:
        return
    check_not_foreign(path)
    if not os.path.lexists(path / "config.json"):
        raise no_run(path)


def check_weights(path: Path) -> None:
    """Raises InputError for a path that is not named like weights, with what it is instead, as far as that is seen."""
    if is_weights(path):
        return
    check_not_foreign(path, is_alone=False)
    if not path.is_dir():
        raise InputError(f"{path} is not of a known kind of weights; known are {', '.join(WEIGHTS)}.")


def is_other_file(path: Path) -> bool:
    """Whether a path is named like a file, with a suffix, that has nothing to do with a network; it need not exist."""
    named = path.suffix[1:2].isalpha() and path.suffix.lower() not in READERS and not path.is_dir()
    return named and _said(path, is_alone=True) is None


def is_weights(path: Path) -> bool:
    """Whether a path is named like weights that are read: a file by its suffix, a folder of Orbax by what is in it."""
    return is_orbax(path) if path.is_dir() else path.suffix.lower() in WEIGHTS


def check_not_foreign(path: Path, *, is_alone: bool = True) -> None:
    """Raises InputError, which says what to do, if a path looks like another program's network, or like no network.

    If it `is_alone`, given without the model that it belongs to, so do weights.
    """
    if is_run(path):  # a run, whatever its name
        return
    if said := _said(path, is_alone):
        raise InputError(f"{path} {said}.")


def _said(path: Path, is_alone: bool) -> str | None:
    if any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return SAVED_MODEL
    suffix = path.suffix.lower()
    if run := _run_around(path):
        steps = [part for part in path.parts if part.startswith("step_") and part[5:].isdecimal()]
        return f"is a part of the run {run}; give {run}{f':step_{int(steps[0][5:])}' if steps else ''}"
    if holds_pictures(path):
        what = "a folder of pictures and holds" if path.is_dir() else "a picture and holds"
        right = f"no network; give a run or a file, {' or '.join(READERS)}"
        return f"is {what} {right if is_alone else 'no weights; give a run or a file of weights'} {PICTURES}"
    if is_orbax(path) or (suffix in WEIGHTS and suffix not in READERS and not path.is_dir()):
        return WITH_MODEL.format(path=path) if is_alone else None
    return KINDS.get(suffix)


def _run_around(path: Path) -> Path | None:
    """The run that a path is in; None if it is in none."""
    around = list(path.parents)[:FOLDERS_IN_RUN]
    return next((one for one in around if is_run(one) and (one / "checkpoints").is_dir()), None)


def is_orbax(folder: Path) -> bool:
    """Whether a directory looks like a checkpoint that Orbax has written."""
    names = ("_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "_sharding")
    return any((folder / name).exists() for name in names)
