"""What one layer's units do for each image of a data set: their largest value, its place, and their mean."""

from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from cnnviz.batching import Report, map_rows
from cnnviz.fast.jit import compiled
from cnnviz.probe import Reader
from cnnviz.probe.inputs import Inputs
from cnnviz.probe.reader import Request
from cnnviz.types import Array, PyTree, Variables
from cnnviz.units.layer import traced_layer
from cnnviz.units.summary import Top


@dataclass(frozen=True)
class Profile:
    """For n images and c units: `highest` and `mean` `[n c]`, and the `place` of the highest, an index into the map."""

    layer: str
    sides: tuple[int, ...]
    highest: Float[np.ndarray, "n c"]
    mean: Float[np.ndarray, "n c"]
    place: Int[np.ndarray, "n c"]

    def ranked(self, k: int) -> Top:
        """The k images with the largest values of each unit, the first of equal ones first, and their places."""
        order = np.argsort(-self.highest, axis=0, kind="stable")[:k]
        values, flat = (np.take_along_axis(each, order, 0) for each in (self.highest, self.place))
        places = np.stack(np.unravel_index(flat, self.sides), -1) if self.sides else np.zeros((*flat.shape, 0), int)
        return Top(order, values, places)

    def class_means(self, unit: int, labels: Int[np.ndarray, " n"], classes: int) -> Float[np.ndarray, " k"]:
        """The unit's mean over the images of each class; NaN for a class without images."""
        own = self.mean[:, unit].astype(np.float64)
        count = np.bincount(labels, minlength=classes)
        sums = np.bincount(labels, own, classes)
        return np.where(count > 0, sums, np.nan) / np.maximum(count, 1)

    def correlations(self, unit: int) -> Float[np.ndarray, " c"]:
        """The correlation over images of the unit's mean with each unit's; NaN where one is constant or infinite."""
        with np.errstate(invalid="ignore", divide="ignore"):
            centered = self.mean.astype(np.float64) - self.mean.mean(0, dtype=np.float64)
            norms = np.sqrt(np.square(centered).sum(0))
            return centered.T @ centered[:, unit] / (norms * norms[unit])


def profile(reader: Reader, images: PyTree, *, batch_size: int | None = None, report: Report | None = None) -> Profile:
    """The profile of the one layer that `reader` reads, over all images, in one pass."""
    request, variables, inputs = reader.request(images)
    size = reader.batch_size(images, batch_size)
    highest, mean, place = map_rows(partial(_read, request, variables), inputs, size, report=report)
    traced, name = traced_layer(reader, images), request.names[0]
    sides = tuple(traced.sides(name).values())[:-1]
    return Profile(name, sides, *(np.asarray(each) for each in (highest, mean, place)))


@partial(compiled, static_argnums=0)
def _read(request: Request, variables: Variables, inputs: Inputs) -> tuple[Array, Array, Array]:
    (value,) = request.values(variables, inputs).values()
    flat = value.astype(jnp.float32).reshape(len(value), -1, value.shape[-1])
    return flat.max(1), flat.mean(1), flat.argmax(1)
