"""The activations for one image: the image itself, and each layer's feature maps or units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from cnnviz import kernels, probe
from cnnviz.attribution.layers import without_sides
from cnnviz.batching import evenly_spaced
from cnnviz.errors import check_known
from cnnviz.errors.wording import counted
from cnnviz.figures.bars import code
from cnnviz.figures.grids import grids
from cnnviz.figures.image import image
from cnnviz.figures.scales import Scale, scale_of
from cnnviz.figures.signals import signals
from cnnviz.networks import Net
from cnnviz.pictures.finite import missing, with_parameters_said
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.picture import NAMES, Data, Kind, OneByOne, Picture, Sample, Skipped, shown_channel, size
from cnnviz.pictures.samples import each, samples
from cnnviz.pictures.several_inputs import inputs_in, shown_to
from cnnviz.pictures.slices import middle
from cnnviz.probe import Layer

MOST_LAYERS, MOST_MAPS, MOST_UNITS = 4, 256, 2048
MOST_SIDES = 3  # of a volume
SCALES = ("layer", "map")
APART = "channels in windows, frames or rows"  # of images that share an axis with these
Maps = Float[np.ndarray, "n *sides"]


@dataclass(frozen=True)
class Activations(OfImage, OfLayer, OneByOne):
    """An image and its activations at layers, by default after the convolutions' non-linearities."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {"inputs"}

    scale: str = "layer"
    """layer: one scale for all maps of a layer, which shows how they differ; map: one for each, which shows faint
    ones."""
    inputs: Path | None = None
    """Of a network with several inputs: an .npz file with an array for each, one row per image; --image is the row."""

    def __post_init__(self) -> None:
        check_known("scale", self.scale, SCALES)

    def of(self, net: Net, data: Data) -> list[Picture]:
        """The picture of each image, and one picture per layer, those asked for or at most four evenly spread."""
        found = samples(self, net, data) if self.inputs is None else inputs_in(self.inputs, self.chosen, net)
        drawn = each(found, lambda shown: self.pictures(net, shown))
        return with_parameters_said(drawn, net)

    def pictures(self, net: Net, shown: Sample) -> list[Picture]:
        """The pictures of one image."""
        candidates = spatial_layers(net) if self.layer is None else net.find(self.layer)
        layers = spread(candidates, MOST_LAYERS) if self.layer is None else candidates
        names, images = [layer.name for layer in layers], shown_to(net, [shown])
        values = probe.activations(net.model, net.variables, images, names)
        more = f" {len(layers)} of {len(candidates)} such layers are drawn." if len(layers) < len(candidates) else ""
        where, subject = f"{net.name} on {shown.title}", {"network": net.name, "image": shown.subject}
        sides = len(net.image_shape) - 1
        one = partial(values_picture, subject=subject, sides=sides, own=self.scale == "map")
        given = inputs_pictures(net, shown) if shown.inputs else [image_picture(shown)]
        others = without_sides(net.model, net.variables, net.takes)
        drawn = [one(where, n, np.asarray(found[0]), more, apart=n in others) for n, found in values.items()]
        return [*given, *drawn]


def inputs_pictures(net: Net, shown: Sample) -> list[Picture]:
    """A picture of each of several inputs that can be drawn: images as they are, vectors as bars."""
    found = []
    for name, values in shown.inputs.items():
        title, subject = f"{name}, {shown.title}", {"image": {**shown.subject, "input": name}}
        if values.dtype == np.uint8 and values.ndim > 1:
            picture = image_picture(replace(shown, pixels=values, title=title, subject=subject["image"]))
        elif 0 < values.ndim <= MOST_SIDES + 1:
            numbers = values.astype(np.float32)
            picture = values_picture(shown.title, name, numbers, "", subject, max(values.ndim - 1, 1))
        else:
            continue
        found.append(replace(picture, name=f"input_{name}"))
    return found


def image_picture(shown: Sample) -> Picture:
    """The image itself: a picture, the middle slice of a volume, or the curves of a signal."""
    pixels = shown.pixels
    axes = {"image": (*NAMES[pixels.ndim - 1], "channel")}
    if pixels.ndim == 2:
        curves = np.moveaxis(pixels, 1, 0).astype(np.float32)
        scale = scale_of(curves)
        draw = partial(signals, {"": curves}, scale, title=shown.title, label="value")
        caption = f"{size(pixels.shape)} values, one curve per channel, on the scale {scale.low:g} to {scale.high:g}."
    else:
        flat, sliced = middle(pixels) if pixels.ndim == 4 else (pixels, "")
        caption = f"{size(pixels.shape)} values from 0 to 255" + ("." if pixels.shape[-1] == 3 else ", 255 in black.")
        draw, caption = partial(image, flat, title=shown.title), caption + sliced + shown_channel(pixels)
    return Picture("image", shown.title, caption, {"image": pixels}, draw, {"image": shown.subject}, axes)


def spatial_layers(net: Net) -> list[Layer]:
    """The layers that are drawn by default, in order of execution.

    These are the feature maps after a non-linearity. If the model has no non-linearity, they are the feature maps of
    its convolutions, or else all feature maps. If it has no feature maps, they are the layers after a non-linearity,
    or else all layers.
    """
    convolutions = kernels.kernels(net.variables).keys()
    others = without_sides(net.model, net.variables, net.takes)
    found = [layer for layer in net.layers if not layer.repeats]
    maps = [each for each in found if len(each.shape) == len(net.image_shape) > 1 and each.name not in others]
    choices = [
        [layer for layer in maps if layer.bends],
        [layer for layer in maps if layer.name.split("@")[0] in convolutions],
        maps,
        [layer for layer in found if layer.bends],
    ]
    return next((choice for choice in choices if choice), found)


def spread(layers: Sequence[Layer], most: int) -> list[Layer]:
    """At most `most` of the layers, evenly spaced, including the first and the last."""
    return [layers[place] for place in evenly_spaced(len(layers), most)]


def values_picture(
    where: str,
    name: str,
    values: Float[np.ndarray, "..."],
    left_out: str,
    subject: Mapping[str, Any],
    sides: int = 2,
    own: bool = False,
    apart: bool = False,
) -> Picture:
    """One layer's values for one image of so many `sides`: `[h w c]` as a grid of maps, `[h w]` as one map.

    If the values are `apart`, the axes before the channels are no sides of the image, as windows and their tokens are.
    `[t c]` of a signal are curves, `[d h w c]` of a volume maps of its middle slice, `[units]` bars; so are maps of one
    pixel. Raises Skipped if the values have another shape.
    """
    numbers, subject = {name: values}, {**subject, "layer": name}
    with_channels = values.ndim == sides + 1
    axes = {name: () if apart else axis_names(values.ndim, sides)}
    stem = f"activations_{name}"
    if values.ndim > 1 and values.ndim in (sides, sides + 1) and max(values.shape[:sides]) > 1:
        maps = np.moveaxis(values, -1, 0) if with_channels else values[None]
        picture = maps_picture(stem, where, name, maps, left_out, numbers, own, APART if apart else "feature maps")
        return replace(picture, subject=subject, axes=axes)
    if values.size != max(values.shape, default=1):
        raise Skipped(f"The values of {name}, {size(values.shape)}, cannot be drawn: feature maps have three axes.")
    title = f"{where}: {name}, a code of {counted(values.size, 'value')}"
    some = f" Drawn are the first {MOST_UNITS:,}." if values.size > MOST_UNITS else ""
    caption = f"One bar per unit; {(values > 0).sum()} of {values.size} are positive.{some}{left_out}"
    caption += missing("values", values)
    draw = partial(code, np.ravel(values)[:MOST_UNITS], title=title)
    return Picture(stem, title, caption, numbers, draw, subject, axes)


def maps_picture(
    stem: str,
    where: str,
    name: str,
    maps: Maps,
    left_out: str,
    numbers: dict[str, np.ndarray],
    own: bool = False,
    kind: str = "feature maps",
) -> Picture:
    """A grid of the maps, at most 256 of them, all on one scale, or each on its `own`.

    Of volumes they are the middle slices, of signals curves.
    """
    drawn, sliced = middle(maps, 1) if maps.ndim == 4 else (maps, "")
    shown, scale, label = drawn[:MOST_MAPS], scale_of(maps), "activation"
    said, clipped = f"All maps on one scale, {scale.low:g} to {scale.high:g}", scale.outside(maps)
    if own:
        ends, clipped = ends_of(maps)
        low = -1.0 if scale.low < 0 else 0.0
        start = "minus its end" if low else "0"
        said = f"Each map on a scale of its own, from {start} to its end; ends are {ends.min():g} to {ends.max():g}"
        shown = shown / ends[:MOST_MAPS].reshape(-1, *[1] * (shown.ndim - 1)).astype(shown.dtype)
        scale, label = Scale(low, 1.0), "activation / end of the map's scale"
    count = f"{len(maps)}" if len(maps) <= MOST_MAPS else f"the first {MOST_MAPS} of {len(maps)}"
    title = f"{where}: {name}, {count} {kind} of {size(maps.shape[1:])}"
    silent = int((maps == 0).all(axis=tuple(range(1, maps.ndim))).sum())
    zeros = f"; {silent} of {len(maps)} {'is' if silent == 1 else 'are'} all zero" if silent else ""
    caption = (
        f"{said}; {clipped:,} of {maps.size:,} values are clipped. A map's index is its row's plus its column's{zeros}."
        f"{sliced}{left_out}{missing('values', maps)}"
    )
    draw = partial(grids if shown.ndim == 3 else signals, {"": shown}, scale, title=title, label=label)
    return Picture(stem, title, caption, numbers, draw)


def ends_of(maps: Maps) -> tuple[Float[np.ndarray, " n"], int]:
    """The end of each map's own scale, and how many values in all are beyond their map's."""
    scales = [scale_of(one) for one in maps]
    return np.array([scale.high for scale in scales]), sum(map(Scale.outside, scales, maps))


def axis_names(count: int, sides: int) -> tuple[str, ...]:
    """The names of the axes of a layer's values, for an image of so many sides; none if they are not known."""
    if count == 1:
        return ("unit",)
    return {sides: NAMES.get(sides, ()), sides + 1: (*NAMES.get(sides, ()), "channel")}.get(count, ())
