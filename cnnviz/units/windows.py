"""Which pixels of an image each value of a layer depends on, from the network's graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.graph.spans import spans_of
from cnnviz.probe import Reader
from cnnviz.probe.inputs import named_leaves
from cnnviz.types import PyTree
from cnnviz.units.layer import traced_layer


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a layer's values in the image, or in the one of several inputs called `input`.

    `first` and `end` have for each side of the image an array of the shape of the layer's value for one image: the
    first pixel, and the one after the last. They are `exact` or an upper bound (`graph.spans`). `size` is that of the
    largest window along each side.
    """

    input: str
    first: Sequence[Int[np.ndarray, "..."]]
    end: Sequence[Int[np.ndarray, "..."]]
    exact: bool
    size: tuple[int, ...]

    def at(self, places: Int[np.ndarray, "k u sides"], units: Int[np.ndarray, " u"]) -> Int[np.ndarray, "k u side 2"]:
        """The windows of units at places of their maps, along each side the first pixel and the one after the last."""
        index = (*np.moveaxis(places, -1, 0), np.broadcast_to(units[None], places.shape[:-1]))
        ends = [np.stack([first[index], end[index]], -1) for first, end in zip(self.first, self.end, strict=True)]
        return np.stack(ends, -2) if ends else np.zeros((*places.shape[:-1], 0, 2), np.int64)


def windows_of(reader: Reader, images: PyTree, layer: str) -> Windows:
    """The windows of a layer of the reader's network; all of the first input for a layer that depends on none."""
    traced = traced_layer(reader, images)
    value, axis = traced.value(layer), traced.axis(layer)
    one = lambda array: np.moveaxis(array, axis, 0)[0]
    for name, image in traced.images.items():
        sides = range(1, len(image.shape) - 1)
        if value in (found := spans_of(traced.graph, image, sides, [value])):
            spans = found[value]
            pairs = [(one(first), one(end)) for first, end in spans.ends(value.shape)]
            size = tuple(int((end - first).max()) for first, end in pairs)
            return Windows(name, [a for a, _ in pairs], [b for _, b in pairs], spans.exact, size)
    name, image = next(iter(traced.images.items()))
    size, shape = tuple(image.shape[1:-1]), one(np.empty(value.shape, np.int8)).shape
    return Windows(name, [np.zeros(shape, int) for _ in size], [np.full(shape, n) for n in size], False, size)


def pixels_of(reader: Reader, images: PyTree, name: str) -> Any:
    """The images of one input, as they are if `prepare` leaves their sides alone, and else prepared."""
    given = named_leaves(images).get(name)
    if reader.prepare is None:
        return given
    prepared = lambda rows: named_leaves(reader.prepare(rows))[name]  # pyright: ignore[reportOptionalCall]
    shape = jax.eval_shape(prepared, images).shape
    if given is not None and given.shape[:-1] == shape[:-1]:
        return given
    return np.asarray(jax.jit(prepared)(images))
