"""What a change of a few pixels reaches: for boxes of an image, the box of every value that can depend on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, prod

import numpy as np
from jaxtyping import Int

from cnnviz.graph.graph import Graph, Value
from cnnviz.graph.receptive_field import side_windows
from cnnviz.graph.windows import Window


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of one size in one value: along `axes[s]`, box i has the indices from `starts[i, s]` on, `sizes[s]` many.

    A box may reach beyond the value, unless it is `within` it.
    """

    axes: tuple[int, ...]
    starts: Int[np.ndarray, "boxes sides"]
    sizes: tuple[int, ...]

    def share(self, shape: Sequence[int]) -> float:
        """The share of the values of an array of this shape that are in one box."""
        return prod(min(1.0, size / shape[axis]) for axis, size in zip(self.axes, self.sizes, strict=True))

    def sized(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of an array's part in a box."""
        sizes = dict(zip(self.axes, self.sizes, strict=True))
        return tuple(sizes.get(axis, n) for axis, n in enumerate(shape))

    def within(self, shape: Sequence[int]) -> "Boxes":
        """Boxes that have all the places of these in an array of this shape, and none beyond it."""
        sides = [shape[axis] for axis in self.axes]
        sizes = tuple(map(min, self.sizes, sides))
        return Boxes(self.axes, np.clip(self.starts, 0, np.array(sides) - np.array(sizes)), sizes)

    def covers(self, other: "Boxes") -> bool:
        """Whether these are the same boxes."""
        return self.axes == other.axes and self.sizes == other.sizes and np.array_equal(self.starts, other.starts)


def reached(graph: Graph, image: Value, boxes: Boxes) -> dict[Value, Boxes]:
    """For each value that boxes of the image reach only in part, and that keeps all its sides, boxes within it."""
    found = {}
    for value, windows in side_windows(graph, image, boxes.axes).items():
        kept = [window for window in windows if isinstance(window, Window)]
        if len(kept) == len(boxes.axes) and len({window.axis for window in kept}) == len(kept):
            found[value] = _through(kept, boxes).within(value.shape)
    return found


def _through(windows: Sequence[Window], boxes: Boxes) -> Boxes:
    """The indices i of a value for which `stride*i + low .. stride*i + high` meets each box."""
    firsts, sizes = [], []
    for s, window in enumerate(windows):
        at = boxes.starts[:, s]
        first = np.array([ceil((Fraction(int(start)) - window.high) / window.stride) for start in at])
        last = np.array([floor((int(start) + boxes.sizes[s] - 1 - window.low) / window.stride) for start in at])
        firsts.append(first)
        sizes.append(max(1, int((last - first).max()) + 1))
    return Boxes(tuple(window.axis for window in windows), np.stack(firsts, 1), tuple(sizes))
