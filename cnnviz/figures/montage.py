"""Montages: many small maps as one array, so that one `imshow` draws the grid."""

import math

import numpy as np
from jaxtyping import Float

Maps = Float[np.ndarray, "n h w"] | Float[np.ndarray, "n h w rgb"]
Montage = Float[np.ndarray, "y x"] | Float[np.ndarray, "y x rgb"]

SMALLEST = 18  # pixels per side: smaller maps are enlarged, so that the gutter of one pixel is thin in comparison


def map_columns(count: int) -> int:
    """The number of columns for an about square grid of feature maps: 32 maps are 4x8, 64 are 8x8."""
    return 2 ** math.ceil(math.log2(max(count, 1)) / 2)


def wider_columns(count: int, side: tuple[int, int], area: tuple[float, float]) -> int:
    """`map_columns`, or twice as many if maps of `side` (h, w) are larger so on an `area` of a width and a height."""
    columns, (h, w) = map_columns(count), side
    size = lambda across: min(area[0] / (across * w), area[1] / (math.ceil(count / across) * h))
    return max((columns, min(count, 2 * columns)), key=size)


def kernel_columns(count: int) -> int:
    """The number of columns for a wide grid of kernels: 32 kernels are 2x16, 64 are 4x16."""
    return min(count, 16 if count <= 128 else 32)


def enlargement(maps: Maps) -> int:
    """The integer factor by which maps are enlarged in a montage."""
    return max(1, math.ceil(SMALLEST / max(maps.shape[1:3])))


def montage(maps: Maps, columns: int, fill: float = math.nan) -> Montage:
    """The maps row by row as one array, each surrounded by a gutter of `fill` one pixel wide."""
    factor = enlargement(maps)
    maps = maps.repeat(factor, axis=1).repeat(factor, axis=2)
    rows = math.ceil(len(maps) / columns)
    h, w, *color = maps.shape[1:]
    cells = np.full((rows * columns, h + 1, w + 1, *color), fill, np.float32)
    cells[: len(maps), 1:, 1:] = maps
    tiled = cells.reshape(rows, columns, h + 1, w + 1, *color).swapaxes(1, 2)
    tiled = tiled.reshape(rows * (h + 1), columns * (w + 1), *color)
    edges = ((0, 1), (0, 1), *[(0, 0)] * len(color))
    return np.pad(tiled, edges, constant_values=fill)
