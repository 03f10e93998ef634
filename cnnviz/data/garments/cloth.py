"""The cloth of garments: its tone, pattern, shading, fold and noise."""

import numpy as np
from jaxtyping import UInt8

from cnnviz.data.garments.canvas import Canvas, Draws, Field


def dyed(c: Canvas, shape: Field, brightness: Field, noise: UInt8[np.ndarray, "n h w"], draw: Draws) -> Field:
    """The picture, from 0 to 1, of a garment with this coverage, brightness and noise."""
    cloth = draw(0.3, 1.0) * brightness * _pattern(c, draw) * _shade(c, draw)
    grain = (noise.astype(np.float32) * np.float32(1 / 127.5) - 1) * draw(0.02, 0.16)
    return np.clip(shape * (cloth + grain), 0, 1)


def _pattern(c: Canvas, draw: Draws) -> Field:
    """Plain, striped across or down, checked or dotted, at a random frequency."""
    frequency, phase, depth = draw(2.0, 6.0), draw(0.0, 1.0), draw(0.1, 0.7)
    kind = draw(0.0, 1.0)
    across, down = _wave(c.v * frequency + phase), _wave(c.u * frequency + phase)
    woven = [(0.14, across), (0.26, down), (0.36, across * down), (0.44, np.maximum(across, down))]
    wave = np.zeros_like(across)
    for upto, pattern in reversed(woven):
        wave = np.where(kind < upto, pattern, wave)
    return 1 - depth * wave


def _wave(x: Field) -> Field:
    """A clipped triangle wave between 0 and 1 with period 1."""
    return np.clip(np.abs(x - np.floor(x) - np.float32(0.5)) * 4 - np.float32(0.5), 0, 1)


def _shade(c: Canvas, draw: Draws) -> Field:
    """Light from one side, and one fold."""
    tilt, slope, place = draw(-0.3, 0.3), draw(-1.0, 1.0), draw(-0.6, 0.6)
    fold = np.clip(1 - np.abs(c.u + slope * c.v - place) * 6, 0, 1)
    return 1 + tilt * c.u - fold * draw(0.0, 0.45)
