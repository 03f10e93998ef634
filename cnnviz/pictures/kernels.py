"""The statistics of every kernel, and a layer's kernels as pictures."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from cnnviz.figures.finite import masked
from cnnviz.figures.grids import grids
from cnnviz.figures.montage import Maps, kernel_columns
from cnnviz.figures.scales import Scale, scale_of, symmetric
from cnnviz.figures.signals import Curves, signals
from cnnviz.figures.statistics import scatter
from cnnviz.networks import Net
from cnnviz.pictures.finite import missing_weights, statistics
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import NAMES, Data, OneByOne, Picture, Skipped, size
from cnnviz.pictures.slices import middle
from cnnviz.pictures.weights import Pair, convolutions, pair, summary, weighted_layer

Filters = Float[np.ndarray, "*window i o"]
FIRST_LIMIT = 0.5  # the same in every run, so that pictures of two runs can be compared
MOST_KERNELS, MOST_SIDE, MOST_PANELS = 256, 16, 24
AXES = {n + 2: (*sides, "input", "output") for n, sides in NAMES.items()} | {2: ("input", "output")}


@dataclass(frozen=True)
class Kernels(OfLayer, OneByOne):
    """Mean and deviation of every kernel, and the kernels of the first convolution or of a layer."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """Statistics and kernels, as far as the layer has them; raises Skipped if it has neither."""
        layer = weighted_layer(net, self.layer)
        names = convolutions(net) if self.layer is None else [layer]
        found = [statistics_picture(net, names)] if names else []
        try:
            return [*found, kernels_picture(net, layer)]
        except Skipped:
            if not found:
                raise
            return found


def statistics_picture(net: Net, names: list[str]) -> Picture:
    """One point per kernel: the mean and the standard deviation of its weights, trained and untrained, by layer."""
    pairs = {name: pair(net, name) for name in names}
    panels = {name: {kind: moments(w) for kind, w in sets.items()} for name, sets in pairs.items()}
    shown = dict(list(panels.items())[:MOST_PANELS])
    title = f"{net.title}: mean and standard deviation of every kernel, {_sets(net)}"
    said = ". ".join(f"{name}, all weights: {summary(sets)}" for name, sets in list(pairs.items())[:3])
    more = f" Drawn are the first {MOST_PANELS} of {len(panels)} layers." if len(panels) > MOST_PANELS else ""
    caption = f"One point per kernel (one output of a layer). {said}.{more}"
    for layer, sets in pairs.items():
        caption += missing_weights(sets).replace("weights", f"weights of {layer}")
    name = "kernel_statistics" if len(names) != 1 else f"kernel_statistics_{names[0]}"
    draw = partial(scatter, shown, title=title)
    return Picture(name, title, caption, statistics_records(pairs), draw, {"network": net.name})


def moments(weights: Float[np.ndarray, "..."]) -> tuple[Float[np.ndarray, " o"], Float[np.ndarray, " o"]]:
    """Mean and standard deviation of each output's finite weights; the last axis is the outputs.

    They are computed in float32, or in float64 if that overflows; both are NaN for an output without finite weights.
    """
    axes = tuple(range(weights.ndim - 1))
    with np.errstate(over="ignore", invalid="ignore"):
        found = weights.mean(axes), weights.std(axes)
    if np.isfinite(found).all():
        return found
    kept = masked(weights).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of outputs without finite weights
        return np.nanmean(kept, axes), np.nanstd(kept, axes)


def statistics_records(pairs: Mapping[str, Pair]) -> list[dict[str, str | int | float]]:
    """One record per layer (kernel "all") and one per kernel: mean, standard deviation, minimum and maximum."""
    records = []
    for layer, sets in pairs.items():
        # each kernel in one piece of memory: strided ones take minutes in a layer of thousands of channels
        parts = {kind: [w, *np.ascontiguousarray(np.moveaxis(w, -1, 0))] for kind, w in sets.items()}
        for i, kernel in enumerate(["all", *range(sets["trained"].shape[-1])]):
            facts = {f"{kind}_{k}": v for kind, every in parts.items() for k, v in statistics(every[i]).items()}
            records.append({"layer": layer, "kernel": kernel} | facts)
    return records


def kernels_picture(net: Net, layer: str) -> Picture:
    """A layer's kernels, trained and untrained, on one scale; raises Skipped if they cannot be drawn."""
    weights = pair(net, layer)
    filters = {kind: as_filters(w, layer, net.image_shape) for kind, w in weights.items()}
    plans = {kind: arrange(w) for kind, w in filters.items()}
    panels, plan = {kind: plan.maps for kind, plan in plans.items()}, plans["trained"]
    scale = scale_for(*weights.values())
    title = f"{net.title}, {layer}: {plan.what}, {_sets(net)}"
    outside = ", ".join(f"{scale.outside(maps):,} of {maps.size:,} {kind}" for kind, maps in panels.items())
    caption = (
        f"Weights on the scale from {-scale.high:g} to {scale.high:g}; clipped to its ends are {outside}. "
        f"All weights: {summary(weights)}.{missing_weights(weights)}"
    )
    draw = partial(_draw, panels, plan, scale, title)
    subject = {"network": net.name, "layer": layer}
    axes = dict.fromkeys(weights, AXES[weights["trained"].ndim])
    return Picture(f"kernels_{layer}", title, caption, weights, draw, subject, axes)


def layer_figure(layer: str, weights: Float[np.ndarray, "..."], image_shape: tuple[int, ...], title: str) -> Figure:
    """A figure of one set of a layer's kernels, on a scale of its own; raises Skipped if they cannot be drawn."""
    plan = arrange(as_filters(weights, layer, image_shape))
    return _draw({"": plan.maps}, plan, scale_for(weights), f"{title}: {plan.what}")


def _sets(net: Net) -> str:
    return "trained and untrained" if net.beginnings else "trained"


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


class Plan(NamedTuple):
    """Kernels as a grid of maps: a description, and the labels of columns and rows if they are inputs and outputs."""

    maps: Maps | Curves
    what: str
    columns: int
    axes: tuple[str, str] = ("", "")


def _draw(panels: Mapping[str, Maps | Curves], plan: Plan, scale: Scale, title: str) -> Figure:
    if plan.maps.ndim == 2:
        return signals(panels, scale, title=title, label="weight", columns=plan.columns, axes=plan.axes)
    label = "weight" if plan.maps.ndim == 3 else "weight, as red, green, blue"
    return grids(panels, scale, title=title, label=label, columns=plan.columns, axes=plan.axes)


def arrange(filters: Filters) -> Plan:
    """One map per kernel if it has one input, or three (red, green, blue); otherwise one per input and output.

    Kernels of volumes are shown by their middle slice, those of signals as curves.
    """
    *window, inputs, outputs = filters.shape
    at = f" at depth {window[0] // 2} of {window[0]}" if len(window) == 3 else ""
    filters = middle(filters).values if at else filters
    if inputs == 1 or (inputs == 3 and filters.ndim == 4):
        maps = np.moveaxis(filters, -1, 0)[:MOST_KERNELS]
        count = f"{outputs}" if outputs <= MOST_KERNELS else f"the first {MOST_KERNELS} of {outputs}"
        what = f"{count} kernels of {size((*window, inputs))}{at}"
        return Plan(maps[..., 0] if inputs == 1 else maps, what, kernel_columns(len(maps)))
    maps = np.moveaxis(filters, (-2, -1), (0, 1))[:MOST_SIDE, :MOST_SIDE]
    what = f"{_first(inputs)} inputs by {_first(outputs)} outputs of its kernels, {size(window)} each{at}"
    return Plan(maps.reshape(-1, *maps.shape[2:]), what, maps.shape[1], ("output", "input"))


def _first(count: int) -> str:
    return f"{count}" if count <= MOST_SIDE else f"the first {MOST_SIDE} of {count}"


def scale_for(*sets: Float[np.ndarray, "..."]) -> Scale:
    """-0.5 to 0.5 for convolutions with one or three inputs; otherwise a symmetric scale that fits all sets."""
    first = sets[0].ndim == 4 and sets[0].shape[2] in (1, 3)
    return symmetric(FIRST_LIMIT if first else scale_of(*sets).high)
