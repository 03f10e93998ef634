"""The canvas for garments: pixel coordinates in the garment's frame, antialiased shapes, and random numbers.

Pixels are computed only by operations that IEEE 754 rounds correctly (no sine, no exponential, no long sums), so that a
key gives the same bits on every machine. A shape is its coverage of each pixel, from 0 to 1.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

SIZE = 28
Field = Float32[np.ndarray, "n h w"]  # one number per pixel
Amount = Float32[np.ndarray, "n 1 1"] | float | int  # one number per image


class Draws:
    """Random numbers for `n` images at once; each call uses up the next column of `uniform`."""

    def __init__(self, uniform: Float[np.ndarray, "n k"]):
        self._columns = iter(uniform.T[:, :, None, None])

    def __call__(self, low: float, high: float) -> Float32[np.ndarray, "n 1 1"]:
        """Uniform numbers between `low` and `high`."""
        return (low + (high - low) * next(self._columns)).astype(np.float32)

    def chance(self, probability: float) -> Float32[np.ndarray, "n 1 1"]:
        """1 with this probability, else 0."""
        return (next(self._columns) < probability).astype(np.float32)


@dataclass(frozen=True)
class Canvas:
    """Each pixel's coordinates in the garment's frame: `u` to the right and `v` down, -1 to 1 across the picture."""

    u: Field
    v: Field

    @property
    def a(self) -> Field:
        """The distance from the vertical axis; shapes drawn with it are symmetric."""
        return np.abs(self.u)


def posed(draw: Draws, turn: float, shift: float, low: float, high: float) -> Canvas:
    """A randomly rotated, shifted, scaled and slanted canvas.

    `turn` is the tangent of half the largest angle, `shift` the largest offset, `low` and `high` limit the scale.
    """
    axis = ((np.arange(SIZE) + 0.5) * (2 / SIZE) - 1).astype(np.float32)
    t, x, y = draw(-turn, turn), axis - draw(-shift, shift), axis[:, None] - draw(-shift, shift)
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    width, height, slant = draw(low, high), draw(low, high), draw(-0.12, 0.12)
    u, v = x * cosine + y * sine, y * cosine - x * sine
    return Canvas((u + slant * v) / width, v / height)


def inside(depth: Field) -> Field:
    """The coverage of a half-plane: 1 where `depth` below the edge is positive, else 0, with a ramp one pixel wide."""
    return np.clip(depth * np.float32(SIZE / 2) + np.float32(0.5), 0, 1)


def between(x: Field, low: Field | Amount, high: Field | Amount) -> Field:
    """The coverage of the strip from `low` to `high`."""
    return np.minimum(inside(x - low), inside(high - x))


def ellipse(u: Field, v: Field, width: Amount, height: Amount) -> Field:
    """The coverage of an ellipse around the origin with these semi-axes."""
    return inside((1 - np.sqrt((u / width) ** 2 + (v / height) ** 2)) * np.minimum(width, height, dtype=np.float32))


def stroke(
    x: Field, y: Field, start: tuple[Amount, Amount], end: tuple[Amount, Amount], radius: Field | Amount
) -> Field:
    """The coverage of a line from `start` to `end` with round caps."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = x - start[0], y - start[1]
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
    return inside(radius - np.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2))


def union(*shapes: Field) -> Field:
    """The coverage of the shapes' union."""
    return np.maximum.reduce(shapes)


def both(*shapes: Field) -> Field:
    """The coverage of the shapes' intersection."""
    return np.minimum.reduce(shapes)


def without(shape: Field, hole: Field) -> Field:
    """The coverage of `shape` outside `hole`."""
    return np.minimum(shape, 1 - hole)
