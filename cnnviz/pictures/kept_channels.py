"""Methods at a layer (`at=LAYER`) and maps by channel (`channels=keep`), options that any method may have."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.attribution.at_layer import at_layer
from cnnviz.attribution.present import CHANNELS, upsampled
from cnnviz.attribution.shapes import Method, keeps_channels
from cnnviz.errors import InputError, check_known
from cnnviz.errors.wording import listed
from cnnviz.networks import Net
from cnnviz.pictures.attribution_page import Explained
from cnnviz.pictures.several_inputs import input_shape
from cnnviz.probe.addressing import MOST_LISTED
from cnnviz.types import LayerNames

MOST = 8  # channels that are drawn
TOGETHER = {
    "sum": "all {count} maps add up to the one without channels=keep",
    "mean": "the map without channels=keep is the mean of all {count}",
    "max_abs": "the map without channels=keep is the largest absolute value of all {count}",
    "l2": "the map without channels=keep is the root of the sum of squares of all {count}",
}


class AskedMethod(NamedTuple):
    """A method as it is asked for, and how the channels of its maps are reduced: None as the method does."""

    method: Method
    channels: str | None = None

    @classmethod
    def of(
        cls, label: str, method: Method, net: Net, at: LayerNames, channels: str | None, name: str | None
    ) -> "AskedMethod":
        """A method at the layer `at`, if there is one, for the input of this name.

        Raises InputError if there are no channels to reduce in that way, or if the layer has no map.
        """
        if channels is not None:
            check_known("way to reduce channels", channels, CHANNELS)
        if channels not in (None, "sum") and (not keeps_channels(method) or (method.maps and channels != "keep")):
            ways = "keep or sum" if keeps_channels(method) else "sum"
            raise InputError(f"{label}: {type(method).__name__} has one map of all channels; channels must be {ways}.")
        return cls(method if at is None else at_layer_of(net, method, at, name), channels)

    @property
    def given(self) -> dict[str, Any]:
        """The arguments of `attribute`; maps by channel stay at the layer's resolution."""
        own = {} if self.channels is None else {"channels": self.channels}
        return own | ({"upsampling": None} if self.channels == "keep" else {})


@dataclass(frozen=True, kw_only=True)
class Kept(Explained):
    """A method's maps by channel: `maps [m n h w k]` of these `channels`, the largest first, of `count`."""

    channels: Int[np.ndarray, " k"]
    count: int

    @property
    def notes(self) -> list[str]:
        """None: a gap is that of all channels together."""
        return []

    def columns(self, name: str) -> Iterator[tuple[str, np.ndarray]]:
        """The heading and the maps `[m n h w]` of each channel that is drawn."""
        method, _, options = name.partition(":")
        others = ",".join(option for option in options.split(",") if option != "channels=keep")
        for place, channel in enumerate(self.channels):
            yield f"{method}{':' * bool(others)}{others}\nchannel {channel}", self.maps[..., place]

    def numbers(self, name: str) -> dict[str, np.ndarray]:
        """All its arrays, with the numbers of the channels that are drawn; those of a layer are of all channels."""
        return super().numbers(name) | {f"{name}.channels": self.channels}

    @property
    def axes(self) -> tuple[str, ...]:
        """The axis of channels."""
        return ("channel",)

    @property
    def remark(self) -> str:
        """Which channels these are, and what the maps of all channels are together."""
        shown = len(self.channels)
        where = "".join(f" of {layer}" for layer in self.layers) or " of the image"
        if self.count == 1:
            return f"the only channel{where}. {super().remark}".rstrip()
        which = f"the {shown} of {self.count} channels" if shown < self.count else f"all {shown} channels"
        size = f"{'with the largest' if shown < self.count else 'by their'} sum of absolute values over these images"
        return f"{which}{where} {size}, largest first; {self._together}. {super().remark}".rstrip()

    @property
    def _together(self) -> str:
        is_cam = hasattr(self.method, "by_channel")
        words = TOGETHER["sum" if is_cam else self.method.channels].format(count=self.count)
        cut = is_cam and getattr(self.method, "relu", False)
        return words + (", before its negative values are set to zero" if cut else "")


def kept(label: str, found: Explained, net: Net, side: tuple[int, ...]) -> Kept:
    """The maps of the largest channels at the image's size; `found` has those of all, at the layer's resolution.

    Raises InputError if there are several layers, or channels of several networks, which do not correspond.
    """
    if len(found.layers) > 1:
        raise InputError(f"channels=keep draws the channels of one layer; {label} looks at {', '.join(found.layers)}.")
    if found.layers and len(found.maps) > 1:
        seeds = ", ".join(map(str, net.seeds))
        raise InputError(
            f"channels=keep draws the channels of one network, since those of other seeds do not correspond to them; "
            f"choose one by --member ({seeds})."
        )
    if found.maps.ndim != 3 + len(side):
        raise InputError(f"{label}: {type(found.method).__name__} has one map here, not one per channel.")
    sizes = np.abs(np.nan_to_num(found.maps.astype(np.float64))).sum(tuple(range(found.maps.ndim - 1)))
    channels = np.argsort(-sizes, kind="stable")[:MOST]
    grow = jax.vmap(jax.vmap(lambda values: upsampled(values, side, "bilinear")))
    maps = np.asarray(grow(found.maps[..., channels]))
    same = {field.name: getattr(found, field.name) for field in fields(Explained)}
    return Kept(**(same | {"maps": maps, "error": None, "to_halve": None}), channels=channels, count=len(sizes))


def at_layer_of(net: Net, method: Method, asked: LayerNames, name: str | None) -> Method:
    """The method at the one layer that is meant; `name` is that of the input.

    Raises InputError if it is not one layer, or if the layer has no sides, so that there is no map of it.
    """
    layer, shape = net.layer(asked), input_shape(net, name)
    has_sides = lambda own: len(own) == len(shape) and math.prod(own[:-1]) > 1
    if not has_sides(layer.shape):
        fit = listed([one.name for one in net.layers if has_sides(one.shape)], MOST_LISTED) or "none"
        raise InputError(
            f"The layer {layer.name!r} has no sides (its shape is {layer.shape}), so there is no map of it; layers "
            f"that have sides: {fit}."
        )
    return at_layer(method, layer.name)
