"""Where garments are drawn: coordinates of every pixel in the garment's own frame, shapes with soft edges, and draws.

Only operations that IEEE 754 rounds correctly are used on pixels (no sine, no exponential, no sum over many), so that a
key gives the same bits on every machine.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

SIZE = 28
Field = Float32[np.ndarray, "n h w"]  # one number a pixel
Amount = Float32[np.ndarray, "n 1 1"] | float | int  # one number an image


class Draws:
    """One image's random numbers after the other, for many images at once; each call takes the next column."""

    def __init__(self, uniform: Float[np.ndarray, "n k"]):
        self._columns = iter(uniform.T[:, :, None, None])

    def __call__(self, low: float, high: float) -> Float32[np.ndarray, "n 1 1"]:
        return (low + (high - low) * next(self._columns)).astype(np.float32)

    def chance(self, probability: float) -> Float32[np.ndarray, "n 1 1"]:
        """1 for the share of the images that is named, 0 for the others."""
        return (next(self._columns) < probability).astype(np.float32)


@dataclass(frozen=True)
class Canvas:
    """Each pixel's place in the garment's frame: `u` to the right and `v` down, both from -1 to 1 over the picture."""

    u: Field
    v: Field

    @property
    def a(self) -> Field:
        """The distance from the middle line: what is drawn with it is symmetric."""
        return np.abs(self.u)


def posed(draw: Draws, turn: float, shift: float, low: float, high: float) -> Canvas:
    """A canvas turned, shifted, stretched and slanted; `turn` is the tangent of half the largest angle."""
    axis = ((np.arange(SIZE) + 0.5) * (2 / SIZE) - 1).astype(np.float32)
    t, x, y = draw(-turn, turn), axis - draw(-shift, shift), axis[:, None] - draw(-shift, shift)
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    width, height, slant = draw(low, high), draw(low, high), draw(-0.12, 0.12)
    u, v = x * cosine + y * sine, y * cosine - x * sine
    return Canvas((u + slant * v) / width, v / height)


def inside(depth: Field) -> Field:
    """1 where the depth below an edge is positive, 0 outside, and one pixel of passage between."""
    return np.clip(depth * np.float32(SIZE / 2) + np.float32(0.5), 0, 1)


def between(x: Field, low: Field | Amount, high: Field | Amount) -> Field:
    return np.minimum(inside(x - low), inside(high - x))


def ellipse(u: Field, v: Field, width: Amount, height: Amount) -> Field:
    """Centered at zero, with these half axes."""
    return inside((1 - np.sqrt((u / width) ** 2 + (v / height) ** 2)) * np.minimum(width, height, dtype=np.float32))


def stroke(
    x: Field, y: Field, start: tuple[Amount, Amount], end: tuple[Amount, Amount], radius: Field | Amount
) -> Field:
    """A line from start to end with round ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = x - start[0], y - start[1]
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
    return inside(radius - np.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2))


def union(*shapes: Field) -> Field:
    return np.maximum.reduce(shapes)


def both(*shapes: Field) -> Field:
    return np.minimum.reduce(shapes)


def without(shape: Field, hole: Field) -> Field:
    return np.minimum(shape, 1 - hole)
