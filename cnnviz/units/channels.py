"""`statistics`: what every channel of every layer does over a data set, in one pass with a state of fixed size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.inputs import Prepare, image_count
from cnnviz.probe.outputs import OutputName
from cnnviz.types import Given, LayerNames, PyTree, VariablesLike
from cnnviz.units.accumulators import Buckets, ByClass, Extremes, Highest, Signs, Spread
from cnnviz.units.buckets import precision_for
from cnnviz.units.drawn import drawn_per_image
from cnnviz.units.ranked import check_k, located
from cnnviz.units.shapes import shapes_of
from cnnviz.units.stream import streamed
from cnnviz.units.summary import LayerStatistics, Top

WORD = 2**32  # counts of as many values need a second word


def statistics(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layers: LayerNames = None,
    *,
    labels: Given | None = None,
    k: int = 0,
    covariance: bool = False,
    edges: Any = (),
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> dict[str, LayerStatistics]:
    """The statistics of each channel of the named layers (all by default) over images `[n, ...]`, in one pass.

    A channel is an index of a layer's last axis; its values are those at all places of all images. Layers without an
    axis are left out, or an InputError if they are asked for by name. With integer `labels` `[n]` there are means by
    class, with `k` the k images of the largest values, with `covariance` that of all pairs of a layer's channels, and
    with rising `edges` a histogram between those. `prepare`, `call` and `output` as in `probe.fold`; memory does not
    grow with the number of images. Chunks are divided among local devices.

    Raises InputError if a value is NaN or infinite, and names the layer, the channel and the image.
    """
    named: Any = {"prepare": prepare, "call": call, "output": output}
    count, known = image_count(images, NOTHING), _checked(labels, images)
    check_k(k, count)
    classes = int(known.max()) + 1 if known is not None else 0
    shapes = shapes_of(model, variables, images, layers, **named)
    asked = Asked(classes, k, covariance, _rising(edges), count)
    named |= {"batch_size": batch_size, "report": report}
    states = streamed(model, variables, images, shapes, asked.accumulators, known, **named)
    tops = located(model, variables, images, states, shapes, **{**named, "report": None}) if k else {}
    counted = np.bincount(known, minlength=classes) if known is not None else None
    return {name: _summary(state, shapes[name], count, counted, tops.get(name)) for name, state in states.items()}


@dataclass(frozen=True)
class Asked:
    """What is computed of every layer, for `images` images."""

    classes: int
    k: int
    covariance: bool
    edges: tuple[float, ...]
    images: int

    def accumulators(self, shape: tuple[int, ...]) -> tuple[tuple[str, Any], ...]:
        """The accumulators of a layer whose value for one image has this shape."""
        *sides, c = shape
        words = 1 if self.images * prod(sides) < WORD else 2
        found: dict[str, Any] = {"extremes": Extremes(c), "spread": Spread(prod(sides), c, self.covariance)}
        found["signs"] = Signs(c, words)
        found["buckets"] = Buckets(c, precision_for(c), words=words, drawn=drawn_per_image(self.images, prod(sides)))
        if self.classes:
            found["classes"] = ByClass(c, self.classes)
        if self.k:
            found["top"] = Highest(c, self.k)
        if self.edges:
            found["histogram"] = Buckets(c, edges=self.edges, words=words)
        return tuple(found.items())


def _checked(labels: Any, images: PyTree) -> np.ndarray | None:
    """The labels as int32 `[n]`; raises InputError if they do not fit the images."""
    if labels is None:
        return None
    found, count = np.asarray(labels), image_count(images, NOTHING)
    if found.shape != (count,):
        raise InputError(f"There is one label per image, an array [{count}]; these have the shape {list(found.shape)}.")
    if not np.issubdtype(found.dtype, np.integer) or found.min() < 0:
        raise InputError(f"Labels are numbers of classes, whole numbers from 0 on; these are {found.dtype}.")
    return found.astype(np.int32)


def _rising(edges: Any) -> tuple[float, ...]:
    found = tuple(float(np.float32(edge)) for edge in edges)
    if len(found) == 1 or any(not a < b for a, b in zip(found, found[1:], strict=False)):
        raise InputError(f"Edges of a histogram are two or more rising numbers; these were {list(edges)}.")
    return found


def _summary(
    state: Mapping[str, Any], shape: tuple[int, ...], images: int, classes: Any, top: Top | None
) -> LayerStatistics:
    """The statistics of a layer, from its state as NumPy arrays."""
    total = images * prod(shape[:-1])
    wide = lambda pair: pair[0].astype(np.float64) + pair[1]
    mean, spread = map(wide, state["spread"])
    variance = np.diagonal(spread) if spread.ndim == 2 else spread
    found: dict[str, Any] = {"covariance": spread / total} if spread.ndim == 2 else {}
    if "classes" in state:
        sums = wide(state["classes"])
        with np.errstate(invalid="ignore"):
            found |= {"class_means": sums / np.where(classes > 0, classes, np.nan)[:, None], "class_images": classes}
    if "histogram" in state:
        found["histogram"] = _words(state["histogram"])[:, 1:-1]
    low, high, _ = state["extremes"]
    deviation = np.sqrt(np.maximum(variance, 0) / total)
    counts, c = _words(state["buckets"]), shape[-1]
    zeros, positives = _words(state["signs"])
    return LayerStatistics(
        images,
        prod(shape[:-1]),
        mean,
        deviation,
        low,
        high,
        zeros,
        positives,
        counts,
        precision_for(c),
        top=top,
        **found,
    )


def _words(words: Sequence[np.ndarray]) -> np.ndarray:
    low, *high = (word.astype(np.int64) for word in words)
    return low + (high[0] << 32) if high else low
