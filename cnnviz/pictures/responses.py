"""Each kernel beside the feature map that it makes of an image, before and after the non-linearity."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from cnnviz import kernels
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.finite import finite
from cnnviz.figures.responses import Column, responses
from cnnviz.figures.scales import Scale, scale_of, symmetric
from cnnviz.networks import Net
from cnnviz.pictures.choices import numbers_in
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.picture import Data, OneByOne, Picture, Sample, Skipped, size
from cnnviz.pictures.samples import each, samples
from cnnviz.pictures.weights import convolutions, tell_left_out, weighted_layers
from cnnviz.probe.convolved import convolved

DEFAULT, MOST = 6, 16  # channels
STRONGEST = f" Drawn are the {DEFAULT} channels whose maps have the largest values."
Kernel = Float[np.ndarray, "h w i o"]
Map = Float[np.ndarray, "y x c"]


@dataclass(frozen=True)
class Responses(OfImage, OfLayer, OneByOne):
    """A kernel, the image it is applied to, and the map it makes, before and after ReLU, for some channels."""

    channels: str | None = None
    """Which channels: 3, 0:8 or 3,5,9; by default the six whose maps have the largest values."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """One picture per image and layer; raises Skipped if the layer is not a convolution over pictures."""
        known = kernels.kernels(net.variables, net.layers)
        names = [name for name in weighted_layers(net, self.layer) if name in known and known[name].ndim == 4]
        if not names:
            other = ", ".join(convolutions(net))
            have = f"those of {net.name} ({other}) are over other inputs" if other else f"{net.name} has none"
            raise Skipped(f"Responses are those of convolutions over pictures; {have}.")
        tell_left_out(net, self.layer, names, "kernel of a convolution over pictures", data.note, "responses")
        return each(samples(self, net, data), lambda shown: [self.picture(net, shown, name) for name in names])

    def picture(self, net: Net, shown: Sample, layer: str) -> Picture:
        """The picture of one layer: what goes in, the kernel, and the map, one row per channel."""
        weights = np.asarray(kernels.kernels(net.variables)[layer], np.float32)
        found = convolved(net.model, net.variables, net.prepare(shown.pixels[None]), layer)
        taken, made, *bent = (np.asarray(part)[0] for part in found[:3] if part is not None)
        channels = channels_of(self.channels, [made, *bent][-1], layer)
        outputs = [np.moveaxis(part[..., channels], -1, 0) for part in (made, *bent)]
        inputs, slices, rows = sides(weights, taken, channels)
        scale = symmetric(scale_of(*outputs).high)
        words = (f"{layer}\nbefore {found.function}", f"{found.name}\nafter {found.function}") if bent else (layer,)
        named = zip(words, outputs, strict=True)
        columns = [inputs, slices, *(Column(name, maps, scale, "→") for name, maps in named)]
        title = f"{net.name} on {shown.title}: kernels of {layer}, each beside the map that it makes"
        names = ("input", "kernel", "before", "after")
        numbers = dict(zip(names, (taken, weights[..., channels], *outputs), strict=False))
        caption = said(weights, slices.scale, scale, [*found.between, found.function])
        caption += STRONGEST if self.channels is None else ""
        subject = {"network": net.name, "layer": layer, "image": shown.subject}
        draw = partial(responses, rows, columns, title=title)
        return Picture(f"responses_{layer}", title, caption, numbers | {"channels": np.array(channels)}, draw, subject)


def sides(weights: Kernel, taken: Map, channels: Sequence[int]) -> tuple[Column, Column, list[str]]:
    """The columns of what each channel's kernel is applied to and of the kernel, and the titles of the rows.

    Of a kernel with many inputs, that with the largest weights is drawn.
    """
    kernel, rows = np.moveaxis(weights[..., channels], -1, 0), [f"channel {channel}" for channel in channels]
    name = f"kernel, {size(weights.shape[:3])}"
    if weights.shape[2] == 3:
        low, high = (float(end(finite(taken), initial=0)) for end in (np.min, np.max))
        image = np.stack([taken] * len(channels))
        limit = symmetric(scale_of(kernel).high)
        return Column("image", image, Scale(low, high or 1.0)), Column(name, kernel, limit, "∗"), rows
    finite_only = np.nan_to_num(kernel.astype(np.float64), posinf=0, neginf=0)  # where huge weights have a square
    place = np.square(finite_only).sum((1, 2)).argmax(-1)
    group = np.array(channels) * taken.shape[-1] // (weights.shape[-1] * weights.shape[2])
    given = place + group * weights.shape[2]
    kernel, shown = kernel[np.arange(len(channels)), ..., place], np.moveaxis(taken[..., given], -1, 0)
    limit = symmetric(scale_of(kernel).high)
    if taken.shape[-1] == 1:
        return Column("image", shown, scale_of(shown), gray=True), Column(name, kernel, limit, "∗"), rows
    rows = [f"{row}\nfrom {each}" for row, each in zip(rows, given, strict=True)]
    return Column("an input", shown, scale_of(shown)), Column(name, kernel, limit, "∗"), rows


def said(weights: Kernel, kernel: Scale, maps: Scale, after: Sequence[str]) -> str:
    """The caption: what is drawn, which functions the map goes through after the convolution, and on which scales."""
    inputs = weights.shape[2]
    what = "The image, the kernel, and the map that it makes of the image, with its bias"
    if inputs not in (1, 3):
        what = (
            f"Of the {inputs} inputs of each kernel the one with the largest weights; the map is made of all {inputs}"
        )
    functions = f", before and after {' and '.join(filter(None, after))}" if any(after) else ""
    colors, zero = ("red, green and blue, each ", "gray") if inputs == 3 else ("", "white")
    return (
        f"{what}{functions}. Kernels are {colors}on the scale from {-kernel.high:g} to {kernel.high:g}, whose zero is "
        f"{zero}; maps on that from {-maps.high:g} to {maps.high:g}, whose zero is white."
    )


def channels_of(text: str | None, maps: Map, layer: str) -> list[int]:
    """The channels that "3", "0:8" or "3,5,9" select; by default the six whose maps `[y x c]` have the largest values.

    Raises InputError for any other text, a channel that is not there, or more than 16.
    """
    count = maps.shape[-1]
    if text is None:
        largest = np.nan_to_num(np.abs(maps)).max((0, 1))
        return sorted(np.argsort(-largest, kind="stable")[:DEFAULT].tolist())
    found: list[int] = []
    for meant in numbers_in(text, "channels"):
        found += range(count)[meant] if isinstance(meant, slice) else [meant]
    if wrong := [channel for channel in found if not 0 <= channel < count] or not found:
        none = "none of them" if wrong is True else ", ".join(map(str, wrong))
        raise InputError(f"{layer} has {counted(count, 'channel')}, 0 to {count - 1}; {text!r} means {none}.")
    if len(found) > MOST:
        raise InputError(f"This picture has at most {MOST} channels; {text!r} means {len(found)}.")
    return found
