"""What one layer's units do for each image of a data set: their largest value, its place, and their mean."""

from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from cnnviz.batching import Report, map_rows
from cnnviz.fast.jit import compiled
from cnnviz.graph.receptive_field import side_windows
from cnnviz.graph.windows import Window
from cnnviz.probe import Reader
from cnnviz.probe.inputs import Inputs
from cnnviz.probe.reader import Request
from cnnviz.types import Array, PyTree, Variables
from cnnviz.units.layer import traced_layer


@dataclass(frozen=True)
class Profile:
    """For n images and c units: `highest` and `mean` `[n c]`, and the `place` of the highest, an index into the map."""

    layer: str
    sides: tuple[int, ...]
    highest: Float[np.ndarray, "n c"]
    mean: Float[np.ndarray, "n c"]
    place: Int[np.ndarray, "n c"]

    def top(self, unit: int, k: int) -> Int[np.ndarray, " k"]:
        """The k images with the unit's largest values; of equal ones the first comes first."""
        return np.argsort(-self.highest[:, unit], kind="stable")[:k]

    def class_means(self, unit: int, labels: Int[np.ndarray, " n"], classes: int) -> Float[np.ndarray, " k"]:
        """The unit's mean over the images of each class; NaN for a class without images."""
        own = self.mean[:, unit].astype(np.float64)
        count = np.bincount(labels, minlength=classes)
        sums = np.bincount(labels, own, classes)
        return np.where(count > 0, sums, np.nan) / np.maximum(count, 1)

    def correlations(self, unit: int) -> Float[np.ndarray, " c"]:
        """The correlation over images of the unit's mean with each unit's; NaN where one is constant."""
        centered = self.mean.astype(np.float64) - self.mean.mean(0, dtype=np.float64)
        norms = np.sqrt(np.square(centered).sum(0))
        with np.errstate(invalid="ignore", divide="ignore"):
            return centered.T @ centered[:, unit] / (norms * norms[unit])


def profile(reader: Reader, images: PyTree, *, batch_size: int | None = None, report: Report | None = None) -> Profile:
    """The profile of the one layer that `reader` reads, over all images, in one pass."""
    request, variables, inputs = reader.request(images)
    size = reader.batch_size(images, batch_size)
    highest, mean, place = map_rows(partial(_read, request, variables), inputs, size, report=report)
    traced, name = traced_layer(reader, images), request.names[0]
    axes = [axis for axis in range(len(traced.value(name).shape)) if axis != traced.axis(name)]
    sides = tuple(traced.value(name).shape[axis] for axis in axes[:-1])
    return Profile(name, sides, *(np.asarray(each) for each in (highest, mean, place)))


@partial(compiled, static_argnums=0)
def _read(request: Request, variables: Variables, inputs: Inputs) -> tuple[Array, Array, Array]:
    (value,) = request.values(variables, inputs).values()
    flat = value.astype(jnp.float32).reshape(len(value), -1, value.shape[-1])
    return flat.max(1), flat.mean(1), flat.argmax(1)


def windows(reader: Reader, images: PyTree, layer: str, sides: tuple[int, ...], place: int) -> list[slice]:
    """The pixels along each side of the image that the value at a place of the map can depend on: its receptive field.

    All of a side where the value depends on the entire side.
    """
    traced = traced_layer(reader, images)
    (image,) = list(traced.images.values())[:1]
    spatial = tuple(range(1, len(image.shape) - 1))
    found = side_windows(traced.graph, image, spatial).get(traced.value(layer), (None,) * len(spatial))
    at = np.unravel_index(place, sides) if sides else ()
    slices = []
    for axis, window in zip(spatial, found, strict=True):
        length = image.shape[axis]
        if not isinstance(window, Window) or not 0 < window.axis <= len(at):
            slices.append(slice(0, length))
            continue
        start = window.stride * int(at[window.axis - 1])
        low, high = (int(np.floor(float(start + end))) for end in (window.low, window.high))
        slices.append(slice(max(0, low), min(length, high + 1)))
    return slices
