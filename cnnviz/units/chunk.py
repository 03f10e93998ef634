"""A layer's values for some images, and what is computed of each image's channels, once for all accumulators."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.fast.reductions import Reduction, over_places
from cnnviz.types import Array


class Chunk(NamedTuple):
    """The values `[n, places, channels]` of a layer for some images, their numbers `[n]`, and their classes.

    Rows where `mask` `[n]` is False are padding, a repetition of the last row. `before` counts the images so far.
    `pivot` `[channels]` is near the values, and `found` has what was asked for of `reductions_from(pivot)` by name, for
    each image's channels, `[n, channels]`.
    """

    x: Array
    mask: Array
    numbers: Array
    classes: Array | None
    before: Array
    pivot: Array
    found: Mapping[str, Array]

    @classmethod
    def of(
        cls, x: Array, mask: Array, numbers: Array, classes: Array | None, before: Array, needs: Collection[str]
    ) -> "Chunk":
        """The chunk of a layer's values `[n, ..., channels]`."""
        # merged with what reads it, a value would be computed once for each
        x = jax.lax.optimization_barrier(x.astype(jnp.float32).reshape(x.shape[0], -1, x.shape[-1]))
        pivot = jax.lax.optimization_barrier(x[0].mean(0))
        asked = {name: each for name, each in reductions_from(pivot).items() if name in needs}
        return cls(x, mask, numbers, classes, before, pivot, over_places(x, asked))

    @property
    def images(self) -> Array:
        """How many images there are, as a float."""
        return self.mask.sum().astype(jnp.float32)

    @property
    def places(self) -> int:
        """How many values a channel has in one image."""
        return self.x.shape[1]

    @property
    def means(self) -> Array:
        """The mean of each image's channels, `[n, channels]`."""
        return self.pivot[None] + self.found["sum"] / self.places

    @property
    def apart(self) -> Array:
        """By how much the mean of all images' values is above the pivot, `[channels]`."""
        return self.counted(self.found["sum"]).sum(0) / (self.images * self.places)

    def counted(self, rows: Array, other: float | int = 0) -> Array:
        """The rows `[n, ...]`, with another number in padding."""
        return jnp.where(self.mask.reshape(-1, *[1] * (rows.ndim - 1)), rows, other)


def reductions_from(pivot: Array) -> dict[str, Reduction]:
    """What accumulators need of a channel's values in one image; sums are those of distances from the pivot `[c]`."""
    apart = lambda x: x - pivot[None, None]
    return {
        "highest": Reduction(jnp.maximum, lambda x: x),
        "lowest": Reduction(jnp.minimum, lambda x: x),
        "sum": Reduction(jnp.add, apart),
        "squares": Reduction(jnp.add, lambda x: apart(x) * apart(x)),
        "zero": Reduction(jnp.add, lambda x: (x == 0).astype(jnp.float32)),
        "positive": Reduction(jnp.add, lambda x: (x > 0).astype(jnp.float32)),
    }
