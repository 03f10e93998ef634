"""Raw values as a map: channels made one value a pixel, layers brought to the image's size and fused."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import Raw
from cnnviz.errors import InputError, unknown
from cnnviz.types import Array

CHANNELS = {
    "sum": lambda raw: raw.sum(-1),
    "mean": lambda raw: raw.mean(-1),
    "max_abs": lambda raw: jnp.abs(raw).max(-1),
    "l2": lambda raw: jnp.sqrt(jnp.square(raw).sum(-1)),
    "keep": lambda raw: raw,
}
UPSAMPLING = ("bilinear", "bilinear_corners", "bicubic", "nearest")


def present(
    raw: Raw, image_shape: tuple[int, ...], channels: str, upsampling: str | None
) -> tuple[Array, dict[str, Array]]:
    """One map for an image, and the map of each layer at the layer's own resolution."""
    if not isinstance(raw, Mapping):
        return CHANNELS[channels](raw), {}
    side = image_shape[0], image_shape[1]
    maps = {name: CHANNELS[channels](values) if values.ndim == 3 else values for name, values in raw.items()}
    brought = [upsampled(values if len(maps) == 1 else scaled(values), side, upsampling) for values in maps.values()]
    return fused(brought), maps


def upsampled(values: Array, side: tuple[int, int], how: str | None) -> Array:
    """A map, or channels of maps, at another size by the named method; as it is for None or without two axes.

    "bilinear" and "bicubic" take pixels as areas (their centers at half), as OpenCV and torch do by default;
    "bilinear_corners" has the corner pixels' centers on each other (`align_corners`).
    """
    if how is None or values.ndim not in (2, 3):
        return values
    shape = (*side, *values.shape[2:])
    if how != "bilinear_corners":
        return jax.image.resize(values, shape, {"bicubic": "cubic"}.get(how, how), antialias=False)
    ratio, shift = zip(*map(_corner_to_corner, values.shape[:2], side), strict=True)
    return jax.image.scale_and_translate(
        values, shape, (0, 1), jnp.array(ratio), jnp.array(shift), "linear", antialias=False
    )


def _corner_to_corner(length: int, wanted: int) -> tuple[float, float]:
    """The scale and the shift that lay first on first and last on last; of a single pixel there is only the first."""
    if length == 1 or wanted == 1:
        return (float(wanted), 0.0) if length == 1 else (1.0, 0.0)
    ratio = (wanted - 1) / (length - 1)
    return ratio, 0.5 - ratio / 2


def fused(maps: list[Array]) -> Array:
    """One map of several, each scaled: their mean."""
    if len({values.shape for values in maps}) > 1:
        shapes = ", ".join(str(values.shape) for values in maps)
        raise InputError(f"Layers of different shapes, {shapes}, make no one map: name one, or give upsampling=...")
    return maps[0] if len(maps) == 1 else jnp.stack(maps).mean(0)


def scaled(values: Array) -> Array:
    """The values from 0, the least, to 1, the greatest; zeros where all are equal."""
    span = values.max() - values.min()
    return jnp.where(span > 0, (values - values.min()) / jnp.where(span > 0, span, 1), 0)


def check(channels: str, upsampling: str | None) -> None:
    if channels not in CHANNELS:
        raise unknown("way to reduce channels", channels, CHANNELS)
    if upsampling is not None and upsampling not in UPSAMPLING:
        raise unknown("upsampling", upsampling, UPSAMPLING)
