"""A layer's kernels as maps in a grid: one per kernel, or one per input and output."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cnnviz.errors.wording import counted
from cnnviz.figures.finite import masked
from cnnviz.figures.montage import Maps, kernel_columns
from cnnviz.figures.signals import Curves
from cnnviz.pictures.picture import Skipped, size
from cnnviz.pictures.slices import middle

Filters = Float[np.ndarray, "*window i o"]
MOST_KERNELS, MOST_SIDE = 256, 16


class Plan(NamedTuple):
    """Kernels as a grid of maps: a description, and the labels of columns and rows if they are inputs and outputs.

    `indices` are the numbers of the columns and rows, if they are not those from zero.
    """

    maps: Maps | Curves
    what: str
    columns: int
    axes: tuple[str, str] = ("", "")
    indices: tuple[list[int], list[int]] | None = None


class Kept(NamedTuple):
    """The inputs and the outputs of a kernel that are drawn, and what share of its squared weights they have."""

    inputs: Int[np.ndarray, " i"]
    outputs: Int[np.ndarray, " o"]

    def share(self, filters: Filters) -> float:
        """The share of the squared weights that these inputs and outputs have."""
        squares = _squares(filters)
        return float(squares[np.ix_(self.inputs, self.outputs)].sum() / (squares.sum() or 1))


def as_filters(weights: Float[np.ndarray, "..."], layer: str, image_shape: tuple[int, ...]) -> Filters:
    """The kernel as `[h w i o]`: a convolution's unchanged, a dense layer's on the flattened image reshaped.

    Of a network for signals it is `[t i o]`, for volumes `[d h w i o]`. Raises Skipped for any other kernel.
    """
    if weights.ndim in (3, 4, 5):
        return weights
    if weights.ndim == 2 and len(weights) == math.prod(image_shape):
        return weights.reshape(*image_shape, -1)
    raise Skipped(
        f"The kernel of {layer}, {size(weights.shape)}, cannot be drawn: it is neither a convolution's "
        f"nor a dense layer's on images of {size(image_shape)}."
    )


def is_of_pixels(filters: Filters) -> bool:
    """Whether a kernel is one map: it has one input, or red, green and blue."""
    return filters.shape[-2] == 1 or (filters.shape[-2] == 3 and filters.ndim == 4)


def strongest(filters: Filters) -> Kept | None:
    """The 16 inputs and the 16 outputs with the largest weights, by the sum of their squares, the largest first.

    None if all kernels can be drawn.
    """
    if is_of_pixels(filters) or max(filters.shape[-2:]) <= MOST_SIDE:
        return None
    squares = _squares(filters)
    order = lambda sums: np.argsort(-sums, kind="stable")[:MOST_SIDE]
    return Kept(order(squares.sum(1)), order(squares.sum(0)))


def _squares(filters: Filters) -> Float[np.ndarray, "i o"]:
    """The sum of the squared weights of each input and output, without those that are NaN or infinite."""
    squares = np.square(masked(filters), dtype=np.float64)
    return np.nansum(squares, tuple(range(filters.ndim - 2)))


def arrange(filters: Filters, kept: Kept | None = None) -> Plan:
    """One map per kernel if it has one input, or three (red, green, blue); otherwise one per input and output.

    Of the latter those `kept`, or else the first 16 of each. Kernels of volumes are shown by their middle slice, those
    of signals as curves.
    """
    *window, inputs, outputs = filters.shape
    at = f" at depth {window[0] // 2} of {window[0]}" if len(window) == 3 else ""
    pixels, filters = is_of_pixels(filters), middle(filters).values if at else filters
    if pixels:
        maps = np.moveaxis(filters, -1, 0)[:MOST_KERNELS]
        first = "" if outputs <= MOST_KERNELS else f"the first {MOST_KERNELS} of "
        what = f"{first}{counted(outputs, 'kernel')} of {size((*window, inputs))}{at}"
        return Plan(maps[..., 0] if inputs == 1 else maps, what, kernel_columns(len(maps)))
    word = "first" if kept is None else "strongest"
    kept = Kept(np.arange(inputs)[:MOST_SIDE], np.arange(outputs)[:MOST_SIDE]) if kept is None else kept
    maps = np.moveaxis(filters, (-2, -1), (0, 1))[np.ix_(*kept)]
    first = lambda n: "" if n <= MOST_SIDE else f"the {word} {MOST_SIDE} of "
    said = [f"{first(n)}{counted(n, side)}" for n, side in ((inputs, "input"), (outputs, "output"))]
    what = f"{said[0]} by {said[1]} of its kernels, {size(window)} each{at}"
    indices = kept.outputs.tolist(), kept.inputs.tolist()
    return Plan(maps.reshape(-1, *maps.shape[2:]), what, maps.shape[1], ("output", "input"), indices)
