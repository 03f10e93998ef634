"""`patches`: the part of an image that a unit saw when it responded most."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from cnnviz.batching import Report
from cnnviz.errors import InputError, unknown
from cnnviz.probe import NOTHING, Call, Reader
from cnnviz.probe.inputs import Prepare, image_count
from cnnviz.probe.outputs import OutputName
from cnnviz.types import PyTree, VariablesLike
from cnnviz.units.layer import check_unit
from cnnviz.units.ranked import check_k, top_k
from cnnviz.units.relevant import most_relevant
from cnnviz.units.shapes import shapes_of
from cnnviz.units.summary import Top
from cnnviz.units.windows import pixels_of, windows_of

VALUE, RELEVANCE = "value", "relevance"
BY = (VALUE, RELEVANCE)
CHUNK = 1000  # images that are floats at a time


@dataclass(frozen=True, eq=False)
class Patches:
    """For u units of a layer, the k images in which each has its largest values, and what it saw in them.

    `by` is what is the largest: the unit's "value", or its "relevance" for the predicted class. `images`, `values`
    `[k u]` and `places` `[k u sides]` are those of a `Top`; `windows` `[k u sides 2]` are the first pixel and the one
    after the last that the value depends on, along each side of the image, cut at its borders; `size` is that of the
    largest window of the layer. If `exact`, no pixel outside the window and every side of it matters, for generic
    weights; else the window is an upper bound. `pixels` are all images `[n, *sides, c]`, as they were given.
    """

    layer: str
    units: Int[np.ndarray, " u"]
    by: str
    images: Int[np.ndarray, "k u"]
    values: Float[np.ndarray, "k u"]
    places: Int[np.ndarray, "k u sides"]
    windows: Int[np.ndarray, "k u image_sides 2"]
    exact: bool
    size: tuple[int, ...]
    pixels: Any = field(repr=False)

    def of(self, unit: int) -> list[Shaped[np.ndarray, "..."]]:
        """The k patches of a unit, `[*sides, c]`, of the given images' type; smaller at the borders of an image."""
        column = self._column(unit)
        return [
            self._cut(self.pixels[i], w) for i, w in zip(self.images[:, column], self.windows[:, column], strict=True)
        ]

    def aligned(self, unit: int) -> Float[np.ndarray, "k *size c"]:
        """The patches in the same size, NaN outside the image, so that what the unit saw lies on top of each other."""
        column = self._column(unit)
        return self._aligned([self.pixels[i] for i in self.images[:, column]], self.windows[:, column])

    def weights(self, unit: int) -> Float[np.ndarray, " k"]:
        """The values that are above zero, divided by their sum; equal ones if none is."""
        values = np.maximum(self.values[:, self._column(unit)].astype(np.float64), 0)
        return values / values.sum() if values.sum() > 0 else np.full(len(values), 1 / len(values))

    def mean(self, unit: int) -> Float[np.ndarray, "*size c"]:
        """The mean of the unit's patches weighted by value; NaN where all are outside the image."""
        return _weighted(self.aligned(unit), self.weights(unit))

    def apart(self, unit: int) -> Float[np.ndarray, "*size c"]:
        """What separates the unit's patches: their mean minus that of the data set's mean image in the same windows."""
        column = self._column(unit)
        usual = self._aligned([self.mean_image] * len(self.images), self.windows[:, column])
        return self.mean(unit) - _weighted(usual, self.weights(unit))

    @cached_property
    def mean_image(self) -> Float[np.ndarray, "*sides c"]:
        """The mean over all images, in float64, computed when it is first asked for."""
        parts = (self.pixels[i : i + CHUNK] for i in range(0, len(self.pixels), CHUNK))
        sums = [np.asarray(part).sum(0, dtype=np.float64) for part in parts]
        return np.sum(sums, axis=0) / len(self.pixels)

    def _column(self, unit: int) -> int:
        found = np.flatnonzero(self.units == unit)
        if not len(found):
            raise InputError(f"These patches are of the units {self.units.tolist()} of {self.layer}, not of {unit!r}.")
        return int(found[0])

    def _cut(self, image: Any, window: Int[np.ndarray, "sides 2"]) -> np.ndarray:
        return np.asarray(image)[tuple(slice(first, end) for first, end in window)]

    def _aligned(self, images: Sequence[Any], windows: Int[np.ndarray, "k sides 2"]) -> np.ndarray:
        found = np.full((len(images), *self.size, *self.pixels.shape[1 + len(self.size) :]), np.nan)
        sides = list(zip(self.pixels.shape[1:], self.size, strict=False))
        for one, image, window in zip(found, images, windows, strict=True):
            ends = window.tolist()
            at = [_start(a, b, length, size) for (a, b), (length, size) in zip(ends, sides, strict=True)]
            one[tuple(slice(s, s + b - a) for s, (a, b) in zip(at, ends, strict=True))] = self._cut(image, window)
        return found


def patches(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layer: Any,
    *,
    units: Sequence[int] | None = None,
    k: int = 9,
    by: str = VALUE,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> Patches:
    """The k images `[n, ...]` with the largest values of each unit of a layer, and the patch that each one saw.

    An image counts once, by the largest value of the unit's map; of equal values the first image comes first, and of
    equal places the first place. `units` are all units of the layer by default. With `by` "relevance" images are ranked
    by the LRP relevance of the unit's values for the predicted class instead: where the unit was used, not where it was
    active (`units.relevant`). Patches are cut from the images as they are given, or, if `prepare` resizes them, as they
    are prepared; of several inputs, from the first that the layer depends on. `prepare`, `call` and `output` as in
    `probe.fold`.

    Raises InputError if there is no such layer or unit, if the layer has no channels, if k is less than 1 or more than
    there are images, or if a value is NaN or infinite.
    """
    check_k(k, image_count(images, call), least=1)
    if by not in BY:
        raise unknown("order of images", by, BY)
    reader = Reader(model, variables, layer, prepare=prepare, call=call, output=output)
    name, shape = _one_layer(reader, images)
    top = _top(reader, images, name, shape, k, by, batch_size=batch_size, report=report)
    return patches_in(reader, images, name, shape[-1], top, by, units)


def _one_layer(reader: Reader, images: PyTree) -> tuple[str, tuple[int, ...]]:
    """The name of the one layer that is read, and the shape of its value for one image."""
    asked = {"prepare": reader.prepare, "call": reader.call, "output": reader.output}
    shapes = shapes_of(reader.model, reader.variables, images, reader.layers, **asked)
    if len(shapes) != 1:
        raise InputError(f"Patches are of the units of one layer; {reader.layers!r} means {', '.join(shapes)}.")
    return next(iter(shapes.items()))


def _top(reader: Reader, images: PyTree, layer: str, shape: tuple[int, ...], k: int, by: str, **options: Any) -> Top:
    """The images with the largest values, or relevances, of each unit."""
    if by == RELEVANCE:
        return most_relevant(reader, images, layer, shape[:-1], k, **options)
    options |= {"prepare": reader.prepare, "call": reader.call, "output": reader.output}
    return top_k(reader.model, reader.variables, images, layer, k=k, **options)[layer]


def patches_in(
    reader: Reader, images: PyTree, layer: str, count: int, top: Top, by: str, units: Sequence[int] | None = None
) -> Patches:
    """The patches of these top images, of a layer that `reader` reads; nothing but pixels is looked up."""
    chosen = np.arange(count) if units is None else np.asarray(list(units), dtype=np.int64)
    for unit in chosen:
        check_unit(layer, int(unit), count)
    seen = windows_of(reader, images, layer)
    places, numbers = top.places[:, chosen], top.images[:, chosen]
    return Patches(
        layer,
        chosen,
        by,
        numbers,
        top.values[:, chosen],
        places,
        seen.at(places, chosen),
        seen.exact,
        seen.size,
        pixels_of(reader, images, seen.input),
    )


def _start(first: int, end: int, length: int, size: int) -> int:
    """Where a window begins in the largest one: a smaller one lacks what is beyond the nearer border of the image."""
    return size - (end - first) if first < length - end else 0


def _weighted(patches: Float[np.ndarray, "k ..."], weights: Float[np.ndarray, " k"]) -> Float[np.ndarray, "..."]:
    """The weighted mean of what is not NaN."""
    own = np.where(np.isnan(patches), 0.0, weights.reshape(-1, *[1] * (patches.ndim - 1)))
    total = own.sum(0)
    return np.where(total > 0, np.nan_to_num(patches * own).sum(0), np.nan) / np.where(total > 0, total, 1)
