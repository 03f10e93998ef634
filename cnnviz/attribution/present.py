"""Raw values as maps: channels reduced to one value per pixel, layers upsampled to the image's size and fused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import Method, Raw
from cnnviz.errors import InputError, check_known
from cnnviz.types import Array, Image, Score

CHANNELS = {
    "sum": lambda raw: raw.sum(-1),
    "mean": lambda raw: raw.mean(-1),
    "max_abs": lambda raw: jnp.abs(raw).max(-1),
    "l2": lambda raw: jnp.sqrt(jnp.square(raw).sum(-1)),
    "keep": lambda raw: raw,
}
UPSAMPLING = ("bilinear", "bilinear_corners", "bicubic", "nearest")


class Attribution(NamedTuple):
    """The maps, `[n h w]` of pictures, each layer's at the layer's resolution, and each image's completeness gap `[n]`.

    The gap is the sum of the raw values minus the sum that completeness requires; None if the method has no such law.
    `error` are the maps' standard errors over keys, of a method that draws samples at random and can tell: NaN where
    the samples are too few for it, and, where a map's value is made of several raw ones, not less than the true one.
    `samples_to_halve` is the number of samples `[n]` with which the error would be half as large: four times as many.
    """

    maps: Array
    layers: dict[str, Array]
    gap: Array | None
    error: Array | None = None
    samples_to_halve: Array | None = None

    def __repr__(self) -> str:
        others = {"gap": self.gap, "error": self.error, "samples_to_halve": self.samples_to_halve}
        sizes = {"maps": self.maps, **self.layers, **{name: v for name, v in others.items() if v is not None}}
        return f"Attribution({', '.join(f'{name} {v.dtype}{list(v.shape)}' for name, v in sizes.items())})"

    def _repr_png_(self) -> bytes | None:
        """The maps as the last line of a notebook's cell shows them; drawn by `pictures`, a higher floor."""
        return resolve_name("cnnviz.pictures.maps:maps_picture")(self.maps, self.gap)._repr_png_()


@dataclass(frozen=True)
class Presentation:
    """How raw values become an `Attribution`; without `details` it has only the maps."""

    channels: str | None
    upsampling: str | None
    details: bool

    def __post_init__(self):
        check_known("way to reduce channels", "sum" if self.channels is None else self.channels, CHANNELS)
        if self.upsampling is not None:
            check_known("upsampling", self.upsampling, UPSAMPLING)

    @property
    def with_error(self) -> bool:
        """Whether the runner gives the raw values' standard errors too."""
        return self.details

    def __call__(self, method: Method, score: Score, image: Image, raw: Raw, error: Raw | None = None) -> Attribution:
        """The attribution of one image; `jax.vmap` makes it that of many."""
        channels = self.channels or method.channels
        are_maps = method.maps and not getattr(method, "by_channel", False)
        maps, layers = present(raw, image.shape, channels, self.upsampling, are_maps=are_maps)
        if not self.details:
            return Attribution(maps, {}, None)
        target = method.completeness_target(score, image)
        total = sum(jnp.sum(values) for values in jax.tree.leaves(raw))
        found = Attribution(maps, layers, None if target is None else total - target)
        if error is None:
            return found
        errors, _ = present(error, image.shape, channels, self.upsampling, are_maps=are_maps)
        return found._replace(error=errors, samples_to_halve=jnp.asarray(4 * getattr(method, "samples", 1)))


def present(
    raw: Raw, image_shape: tuple[int, ...], channels: str, upsampling: str | None, *, are_maps: bool = False
) -> tuple[Array, dict[str, Array]]:
    """One map of an image over its sides, and the map of each layer at the layer's resolution.

    A vector has no sides: its map has one value per feature. Values of a layer without the image's sides, as a dense
    layer's, stay as they are. `are_maps` says that a layer's values have no channels any more.
    """
    if not isinstance(raw, Mapping):
        return CHANNELS[channels](raw) if len(image_shape) > 1 else raw, {}
    side = image_shape[:-1]
    fitting = {name for name, values in raw.items() if side and values.ndim == len(image_shape) - are_maps}
    reduced = lambda name: CHANNELS[channels](raw[name]) if name in fitting and not are_maps else raw[name]
    maps = {name: reduced(name) for name in raw}
    whole = {name: values if len(maps) == 1 else scaled(values) for name, values in maps.items()}
    sized = [upsampled(values, side, upsampling) if name in fitting else values for name, values in whole.items()]
    return fused(sized), maps


def upsampled(values: Array, side: tuple[int, ...], how: str | None) -> Array:
    """A map over sides such as `[h w]`, or maps `[h w c]`, at another size by the named method; unchanged for None.

    "bilinear" and "bicubic" take pixels as areas (half-pixel centers), as OpenCV and PyTorch do by default;
    "bilinear_corners" aligns the centers of the corner pixels (`align_corners`).
    """
    if how is None:
        return values
    axes = tuple(range(len(side)))
    shape = (*side, *values.shape[len(side) :])
    if how != "bilinear_corners":
        return jax.image.resize(values, shape, {"bicubic": "cubic"}.get(how, how), antialias=False)
    ratio, shift = zip(*map(_corner_to_corner, values.shape[: len(side)], side), strict=True)
    return jax.image.scale_and_translate(
        values, shape, axes, jnp.array(ratio), jnp.array(shift), "linear", antialias=False
    )


def _corner_to_corner(length: int, wanted: int) -> tuple[float, float]:
    """The scale and shift that align the first pixels and the last; only the first if one side is a single pixel."""
    if length == 1 or wanted == 1:
        return (float(wanted), 0.0) if length == 1 else (1.0, 0.0)
    ratio = (wanted - 1) / (length - 1)
    return ratio, 0.5 - ratio / 2


def fused(maps: list[Array]) -> Array:
    """The mean of several maps of one shape, each already scaled."""
    if len({values.shape for values in maps}) > 1:
        shapes = ", ".join(str(values.shape) for values in maps)
        raise InputError(f"Maps of different shapes, {shapes}, cannot be fused: name one layer, or give upsampling=...")
    return maps[0] if len(maps) == 1 else jnp.stack(maps).mean(0)


def scaled(values: Array) -> Array:
    """The values scaled so that the least is 0 and the greatest 1; zeros if all are equal."""
    span = values.max() - values.min()
    return jnp.where(span > 0, (values - values.min()) / jnp.where(span > 0, span, 1), 0)
