"""Values of which only a box is changed, and how parts of them are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.graph.boxes import Boxes
from cnnviz.types import Array


class Part(NamedTuple):
    """A value for the unchanged image, and its values in the box for the changed one."""

    whole: Array
    part: Array
    boxes: Boxes


def whole_of(found: Any) -> Any:
    """The value for the unchanged image."""
    return found.whole if isinstance(found, Part) else found


@dataclass(eq=False)
class InBox:
    """Reads values that are partly changed, for the box number `i`."""

    i: Array

    def entire(self, found: Any) -> Any:
        """All values, with the changed ones in their places."""
        if not isinstance(found, Part):
            return found
        axes = found.boxes.axes
        return self.read(found, axes, np.zeros_like(found.boxes.starts), [found.whole.shape[axis] for axis in axes])

    def at(self, found: Any, boxes: Boxes) -> Any:
        """The values in a box of the same places; a value that has not these sides stays as it is."""
        if isinstance(found, Part) and found.boxes.covers(boxes):
            return found.part
        if isinstance(found, Part):
            return self.read(found, boxes.axes, boxes.starts, boxes.sizes)
        here = [s for s, axis in enumerate(boxes.axes) if found.ndim and found.shape[axis] > 1]  # else broadcast
        return self.cut(found, [boxes.axes[s] for s in here], boxes.starts[:, here], [boxes.sizes[s] for s in here])

    def moved(self, found: Part, axes: Sequence[int], to: Boxes) -> Array:
        """The values at the places of a box of another value, whose sides are these `axes` here."""
        return self.at(found, Boxes(tuple(axes), to.starts, to.sizes))

    def read(self, found: Any, axes: Sequence[int], first: np.ndarray, sizes: Sequence[int], fill: Any = 0) -> Array:
        """The values from the indices `first[i]` on, `sizes` many along the `axes`; beyond the edge they are `fill`."""
        whole = self.cut(whole_of(found), axes, first, sizes, fill)
        if not isinstance(found, Part):
            return whole
        apart = found.boxes.starts - first
        if (apart >= 0).all() and (apart + np.array(found.boxes.sizes) <= np.array(sizes)).all():
            start: list[Any] = [0] * whole.ndim
            for s, axis in enumerate(axes):
                start[axis] = apart[:, s]
            return jax.lax.dynamic_update_slice(whole, found.part, [self.of_box(at) for at in start])
        part, inside = self.cut(found.part, axes, -apart, sizes, 0), jnp.bool_(True)
        for s, axis in enumerate(axes):
            at = jnp.arange(sizes[s]).reshape([sizes[s] if a == axis else 1 for a in range(whole.ndim)])
            low = self.of_box(np.maximum(apart[:, s], -first[:, s]))
            high = np.minimum(apart[:, s] + found.boxes.sizes[s], found.whole.shape[axis] - first[:, s])
            inside = inside & (at >= low) & (at < self.of_box(high))
        return jnp.where(inside, part, whole)

    def cut(self, array: Any, axes: Sequence[int], first: np.ndarray, sizes: Sequence[int], fill: Any = 0) -> Any:
        """The array's values from the indices `first[i]` on."""
        if not axes:
            return array
        pads, start = [(0, 0, 0)] * array.ndim, [0] * array.ndim
        shape = list(array.shape)
        for s, (axis, size) in enumerate(zip(axes, sizes, strict=True)):
            low = max(0, -int(first[:, s].min()))
            high = max(0, int(first[:, s].max()) + size - array.shape[axis])
            pads[axis], start[axis], shape[axis] = (low, high, 0), first[:, s] + low, size
        if any(low or high for low, high, _ in pads):
            array = jax.lax.pad(array, jnp.asarray(fill, array.dtype), pads)
        if all(np.ptp(at) == 0 for at in start):
            at = [int(np.max(each)) for each in start]
            return jax.lax.slice(array, at, [a + n for a, n in zip(at, shape, strict=True)])
        return jax.lax.dynamic_slice(array, [self.of_box(at) for at in start], shape)

    def of_box(self, numbers: Any) -> Any:
        """This box's number among those of all boxes."""
        if np.ptp(numbers) == 0:
            return jnp.int32(np.max(numbers))
        return jnp.asarray(numbers, jnp.int32)[self.i]
