"""Files of other programs that hold no network for us, told apart by their names, each with what to do about it."""

from pathlib import Path

from cnnviz.errors import InputError
from cnnviz.interop import READERS, WEIGHTS

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


def check_not_foreign(path: Path, *, is_alone: bool = True) -> None:
    """Raises InputError, which says what to do, if a path looks like another program's network.

    If it `is_alone`, given without the model that it belongs to, so do weights.
    """
    if (path / "config.json").is_file():  # a run, whatever its name
        return
    if said := _said(path, is_alone):
        raise InputError(f"{path} {said}.")


def _said(path: Path, is_alone: bool) -> str | None:
    if any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return SAVED_MODEL
    suffix = path.suffix.lower()
    if is_orbax(path) or (suffix in WEIGHTS and suffix not in READERS and not path.is_dir()):
        return WITH_MODEL.format(path=path) if is_alone else None
    return KINDS.get(suffix)


def is_orbax(folder: Path) -> bool:
    """Whether a directory looks like a checkpoint that Orbax has written."""
    names = ("_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "_sharding")
    return any((folder / name).exists() for name in names)
