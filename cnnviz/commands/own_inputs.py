"""The inputs of a class of your own that takes several: their names and shapes, as they are typed or in a file."""

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop.objects import each_once

EXAMPLE = '{"left": [28, 28, 1], "right": [10]}'


def are_several(text: str | None) -> bool:
    """Whether `--image-shape` is a JSON object, which is for several inputs."""
    return text is not None and text.lstrip().startswith("{")


def shapes_of(text: str) -> dict[str, tuple[int, ...]]:
    """The shape of each input in a JSON object such as EXAMPLE; raises InputError for anything else."""
    try:
        found = json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found or not all(map(_is_shape, found.values())):
        raise InputError(f"--image-shape of several inputs is a JSON object such as '{EXAMPLE}'; it was {text!r}.")
    return {name: tuple(shape) for name, shape in found.items()}


def shapes_in(path: Path, model: str) -> dict[str, Any]:
    """The shape and the type of one row of each input in an `.npz` file.

    Inputs are the arrays with the names of arguments of the class's call or, if none has such a name, all. Pixels
    (uint8) become the floats that they are prepared to. Raises InputError for a file that is not one of arrays.
    """
    import jax
    import numpy as np

    from cnnviz.interop.weights import npz
    from cnnviz.models import MODELS
    from cnnviz.probe.inputs import canonical

    arrays = npz.arrays(path)
    make: Any = MODELS[model]
    taken = inspect.signature(make.__call__).parameters if isinstance(make, type) else ()
    named = [name for name in taken if name in arrays]
    found = {name: arrays[name] for name in named or arrays}
    if bare := next((name for name, array in found.items() if array.ndim == 0), None):
        raise InputError(f"Each input in {path} has one row per image; {bare!r} is one number.")
    return {
        name: jax.ShapeDtypeStruct(array.shape[1:], canonical(array.dtype) if _is_index(array) else np.float32)
        for name, array in found.items()
    }


@contextmanager
def only_images(model: str, then: str) -> Iterator[None]:
    """Says what to do, `then`, about a call that needs more than the images."""
    from cnnviz.probe.capture import LacksArgument

    try:
        yield
    except LacksArgument as error:
        raise InputError(f"The call of {model} needs {error.argument!r} too, not images alone; {then}") from error


def one_input(shape: Any) -> tuple[int, ...]:
    """The shape of the images if there is one input, else nothing."""
    return () if isinstance(shape, Mapping) else tuple(shape)


def _is_index(array: Any) -> bool:
    return array.dtype.kind in "iub" and array.dtype != "uint8"


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and bool(shape) and all(type(n) is int and n > 0 for n in shape)
