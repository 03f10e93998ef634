"""What a network of several inputs is shown: an array for each in an `.npz` file, one row per image."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from cnnviz.errors import InputError, check_known
from cnnviz.interop.weights import npz
from cnnviz.networks import Net
from cnnviz.pictures.choices import MOST_IMAGES, Choice, choices, places
from cnnviz.pictures.options import check_input
from cnnviz.pictures.picture import SIDES, Sample, inputs_in_words, size
from cnnviz.probe.inputs import named_leaves, one_image
from cnnviz.types import PyTree

Arrays = Mapping[str, Shaped[np.ndarray, "n ..."]]


def inputs_in(path: Path, chosen: str, net: Net) -> list[Sample]:
    """The chosen rows of the inputs in a file, as many as `--image` means, at most 64.

    Raises InputError if the network takes one input, if the file lacks an input or has one of another shape, and for a
    row that is not there.
    """
    if net.inputs is None:
        raise InputError(f"{net.name} takes one input, images of {size(net.image_shape)}; --inputs is for several.")
    arrays = _checked(npz.arrays(path), net, path)
    count = len(next(iter(arrays.values())))
    rows = [row for choice in choices(chosen) for row in _rows(choice, count, path)]
    if len(rows) > MOST_IMAGES:
        raise InputError(f"A picture has at most {MOST_IMAGES} images; {chosen!r} means {len(rows)}.")
    return [_sample(arrays, row, path) for row in rows]


def shown_to(net: Net, shown: Sequence[Sample]) -> PyTree:
    """Images as the model takes them: pixels are prepared, other numbers stay as they are."""
    if net.inputs is None:
        return net.prepare(np.stack([one.pixels for one in shown]))
    wanted, form = jax.tree.flatten(one_image(net.takes))
    given = [np.stack([one.inputs[name] for one in shown]) for name in named_leaves(one_image(net.takes))]
    return jax.tree.unflatten(form, [_given(net, values, row.dtype) for values, row in zip(given, wanted, strict=True)])


def input_shape(net: Net, name: str | None) -> tuple[int, ...]:
    """The shape of one row of this input, or of one image if the network takes one input."""
    return named_leaves(one_image(net.takes))[name or ""].shape[1:]


def explained_inputs(net: Net, path: Path | None, asked: str | None) -> Sequence[str | None]:
    """The names of the inputs to explain, one or each; None if the network takes one.

    Raises InputError for a name that no input has.
    """
    check_input(path, asked)
    names = [] if path is None else list(named_leaves(one_image(net.takes)))
    if asked is not None:
        check_known("input", asked, names)
    return [asked] if asked is not None else names or [None]


def alone(shown: Sequence[Sample], name: str) -> list[Sample]:
    """The images with one of their inputs as the pixels; a vector is drawn as a signal of one channel."""
    values = [one.inputs[name] for one in shown]
    return [replace(one, pixels=_as_pixels(x)) for one, x in zip(shown, values, strict=True)]


def _as_pixels(x: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """What is drawn of an input: of pictures of other numbers than uint8, 0 to 1, or their least to their most."""
    if x.ndim == 1:
        return x[:, None]
    if x.dtype == np.uint8 or x.ndim < len(SIDES[2]) + 1 or not np.isfinite(x).all():
        return x
    low, high = (0, 1) if x.min() >= 0 and x.max() <= 1 else (x.min(), x.max())
    return np.rint(255 * (x.astype(np.float64) - low) / max(high - low, 1e-12)).astype(np.uint8)


def _given(net: Net, values: Shaped[np.ndarray, "n ..."], dtype: Any) -> Any:
    return net.prepare(values) if values.dtype == np.uint8 else values.astype(dtype)


def _checked(arrays: Arrays, net: Net, path: Path) -> Arrays:
    """The arrays of the network's inputs, in their order."""
    wanted = {name: tuple(row.shape[1:]) for name, row in named_leaves(one_image(net.takes)).items()}
    needs = f"{net.name} takes {inputs_in_words(net)}"
    if missing := [name for name in wanted if name not in arrays]:
        has = ", ".join(arrays) or "none"
        raise InputError(f"{needs}; {path} has no array {missing[0]!r}, only {has}.")
    for name, shape in wanted.items():
        if arrays[name].shape[1:] != shape or arrays[name].dtype.kind not in "biuf":
            found = f"{arrays[name].dtype} {arrays[name].shape}"
            raise InputError(f"{needs}, one row per image; {name!r} in {path} is {found}.")
    if len(counts := {len(arrays[name]) for name in wanted}) > 1:
        raise InputError(
            f"{path} has {', '.join(map(str, sorted(counts)))} rows of its inputs; each image has one of each."
        )
    return {name: arrays[name] for name in wanted}


def _rows(choice: Choice, count: int, path: Path) -> Sequence[int]:
    """The rows that a choice means; raises InputError if one is not there."""
    if isinstance(choice, Path):
        raise InputError(f"--image is the number of a row in {path}, such as 3 or 0:8; it was {choice}.")
    return places(choice, count, f"{path} has no row {choice}", least=0)


def _sample(arrays: Arrays, row: int, path: Path) -> Sample:
    inputs = {name: array[row] for name, array in arrays.items()}
    pixels = next(iter(inputs.values()))
    return Sample(pixels, None, f"row {row} of {path.name}", {"file": path.name, "index": row}, f"{row}", inputs=inputs)
