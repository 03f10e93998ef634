"""What layers compute for images, as arrays `[n, p]` that measures take."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.batching import Report
from cnnviz.errors import InputError, check_known, memory
from cnnviz.probe import Reader, map_readers
from cnnviz.types import Array, PyTree

VALUES = ("flat", "mean")
SHARE = 1 / 3  # of the free memory, which these arrays may take
Layers = dict[str, np.ndarray]
Reduce = Callable[[Any], Any]


def features(
    readers: Mapping[str, Reader],
    images: PyTree,
    values: str = "mean",
    *,
    batch_size: int | None = None,
    report: Report | None = None,
) -> dict[str, Layers]:
    """Each network's layers as arrays `[n, p]`, all of the same chunks of images.

    `values` says what a feature map `[h, w, c]` of an image becomes: "flat" all its values, "mean" each channel's mean
    over places. Raises InputError if they would take more than a third of the free memory.
    """
    check_known("way to take a layer's values", values, VALUES)
    reduce = _flat if values == "flat" else _means
    _check_memory(readers, images, reduce)
    found = map_readers(dict(readers), images, reduce, batch_size=batch_size, report=report)
    names = lambda reader: reader.request(images)[0].names  # a compiled call returns them in alphabetical order
    return {name: {layer: np.asarray(found[name][layer]) for layer in names(readers[name])} for name in readers}


def _flat(activations: dict[str, dict[str, Array]]) -> dict[str, dict[str, Array]]:
    return jax.tree.map(lambda each: each.reshape(len(each), -1).astype(jnp.float32), activations)


def _means(activations: dict[str, dict[str, Array]]) -> dict[str, dict[str, Array]]:
    return jax.tree.map(_mean_of, activations)


def _mean_of(values: Array) -> Array:
    values = values.astype(jnp.float32)
    if values.ndim < 3:
        return values.reshape(len(values), -1)
    return values.mean(axis=tuple(range(1, values.ndim - 1)))


def _check_memory(readers: Mapping[str, Reader], images: PyTree, reduce: Reduce) -> None:
    count = jax.tree.leaves(images)[0].shape[0]
    each = sum(_row_bytes(reader, images, reduce) for reader in readers.values())
    most = int(SHARE * memory.free() / each)
    if count > most:
        size, free = memory.in_words(count * each), memory.in_words(memory.free())
        raise InputError(
            f"The values of these layers for {count:,} images take {size}, of {free} that are free; give at most "
            f'{most:,} images, fewer layers, or values="mean".'
        )


def _row_bytes(reader: Reader, images: PyTree, reduce: Reduce) -> int:
    request, variables, inputs = reader.request(images)
    two = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape[1:]), leaf.dtype), inputs)
    read = lambda variables, rows: reduce({"": request.values(variables, rows)})
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(read, variables, two))) // 2
