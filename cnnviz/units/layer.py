"""The units of one layer of a network, over labelled images: what all of ablation asks for first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from cnnviz import probe
from cnnviz.errors import InputError, InputTypeError, unknown
from cnnviz.probe import LOGITS, Reader
from cnnviz.probe.addressing import find_one
from cnnviz.probe.inputs import Inputs, call_for, image_count
from cnnviz.probe.reader import Request, prepared_shape
from cnnviz.probe.replaced import bytes_per_set, channel_count
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Array, PyTree, Variables

REPLACEMENTS = ("zero", "mean")


@dataclass(frozen=True, eq=False)
class Units:
    """The `count` units of one layer, with images and their labels of `classes` classes.

    `against` is what answers are compared with: "labels", or the network's own "predictions".
    """

    reader: Reader
    layer: str
    count: int
    classes: int
    images: PyTree
    labels: Int[np.ndarray, " n"]
    against: str
    batch_size: int | None

    @property
    def request(self) -> tuple[Request, Variables, Inputs]:
        """What is compiled, the variables, and all that has one row per image."""
        return self.reader.request(self.images)

    @property
    def bytes(self) -> int:
        """The bytes of what is computed after the layer for one image without one unit."""
        return bytes_per_set(self.reader, self.images, self.layer)

    def chosen(self, units: Sequence[int] | None) -> Int[np.ndarray, " u"]:
        """The units that were asked for, all if none were; raises InputError if one does not exist."""
        if units is None:
            return np.arange(self.count)
        found = np.asarray(units)
        if found.ndim != 1 or not found.size or not np.issubdtype(found.dtype, np.integer):
            raise InputTypeError(f"Units are numbers such as [0, 3]; they were {units!r}.")
        for unit in found:
            check_unit(self.layer, int(unit), self.count)
        return found

    def replacement(self, to: str | Float[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
        """The number that stands in place of each unit."""
        if isinstance(to, str):
            if to not in REPLACEMENTS:
                raise unknown("replacement", to, REPLACEMENTS)
            return np.zeros(self.count, np.float32) if to == "zero" else self.means()
        numbers = np.asarray(to, np.float32)
        if numbers.shape != (self.count,):
            raise InputError(
                f"There is one number for each of the {self.count} units of {self.layer}, in place of the unit; these "
                f"have the shape {numbers.shape}."
            )
        return numbers

    def means(self) -> Float[np.ndarray, " c"]:
        """The mean of each unit over all places of all images."""
        read = self.reader
        init = jnp.zeros(()), jnp.zeros(self.count)
        _, means = probe.fold_readers([read], self.images, init, _add_means, _merged, batch_size=self.batch_size)
        return np.asarray(means, np.float32)


def check_unit(layer: str, unit: int, count: int) -> None:
    """Raises InputError if a layer of `count` units has no unit of this number; it says which is nearest."""
    if not 0 <= unit < count:
        nearest = min(max(unit, 0), count - 1)
        raise InputError(
            f"{layer} has no unit {unit}; its {count} units go from 0 to {count - 1}, nearest is {nearest}."
        )


def units_of(
    reader: Reader, images: PyTree, labels: Int[np.ndarray, " n"] | None, *, batch_size: int | None = None
) -> Units:
    """The units of the one layer that `reader` reads; raises InputError like `ablation`."""
    traced = traced_layer(reader, images)
    layer = find_one(reader.layers, traced.addresses)
    logits = traced.logits
    if len(logits.shape) != 2:
        raise InputError(
            f"Classes are the last axis of logits [n, k]; this network's have {logits.shape[1:]} per image."
        )
    classes = 2 if logits.shape[1] == 1 else int(logits.shape[1])
    one = Reader(reader.model, reader.variables, layer, prepare=reader.prepare, call=reader.call, output=reader.output)
    count = image_count(images, reader.call)
    against = "predictions" if labels is None else "labels"
    labels = _predicted(one, images, batch_size) if labels is None else _checked(labels, count, classes)
    return Units(one, layer, channel_count(traced, layer), classes, images, labels, against, batch_size)


def traced_layer(reader: Reader, images: PyTree) -> Trace:
    """The graph of the reader's network for such images."""
    shapes, call = prepared_shape(images, reader.prepare), call_for(reader.call, 2)
    return trace(reader.model, as_variables(reader.variables), shapes, call, reader.output)


def class_logits(logits: Float[Array, "*n k"]) -> Float[Array, "*n classes"]:
    """The logits of the classes: those of one logit z that tells two classes apart are 0 and z."""
    return jnp.concatenate([jnp.zeros_like(logits), logits], -1) if logits.shape[-1] == 1 else logits


def _predicted(reader: Reader, images: PyTree, batch_size: int | None) -> Int[np.ndarray, " n"]:
    named: Any = {"prepare": reader.prepare, "call": reader.call, "output": reader.output, "batch_size": batch_size}
    found = probe.activations(reader.model, reader.variables, images, LOGITS, **named)[LOGITS]
    return np.asarray(class_logits(found).argmax(-1), np.int32)


def _checked(labels: Any, count: int, classes: int) -> Int[np.ndarray, " n"]:
    """The labels. Raises InputError unless there is a class for each image, as a number."""
    found = np.asarray(labels)
    if found.shape != (count,) or not np.issubdtype(found.dtype, np.integer):
        raise InputError(
            f"Labels are the number of each image's class, [{count}]; these are {found.dtype} of {found.shape}."
        )
    if found.size and not 0 <= found.min() <= found.max() < classes:
        bad = found[(found < 0) | (found >= classes)][0]
        raise InputError(f"The network tells {classes} classes apart, 0 to {classes - 1}; a label was {bad}.")
    return found.astype(np.int32)


def _add_means(state: tuple[Array, Array], activations: Any, mask: Array) -> tuple[Array, Array]:
    (value,) = activations[0].values()
    value = value.astype(jnp.float32).reshape(len(value), -1, value.shape[-1]).mean(1)
    count = mask.sum().astype(jnp.float32)
    mean = jnp.where(mask[:, None], value, 0).sum(0) / jnp.maximum(count, 1)
    return _merged(state, (count, mean))


def _merged(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    """Counts and means of two parts together."""
    count = one[0] + other[0]
    return count, one[1] + (other[1] - one[1]) * (other[0] / jnp.maximum(count, 1))
