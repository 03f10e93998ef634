"""The statistics of every kernel, and a layer's kernels as pictures."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from cnnviz.figures.finite import masked
from cnnviz.figures.grids import grids
from cnnviz.figures.montage import Maps
from cnnviz.figures.printable import signed
from cnnviz.figures.scales import Scale, scale_of, symmetric
from cnnviz.figures.signals import Curves, signals
from cnnviz.figures.statistics import statistics as chart
from cnnviz.figures.statistics import strips
from cnnviz.networks import Net
from cnnviz.pictures.finite import missing_weights, statistics
from cnnviz.pictures.kernel_maps import Plan, arrange, as_filters, strongest
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import NAMES, Data, OneByOne, Picture, Skipped, equal_parts
from cnnviz.pictures.weights import Pair, convolutions, pair, rows, summary, tell_left_out, weighted_layers

FIRST_LIMIT = 0.5  # the same in every run, so that pictures of two runs can be compared
MOST_LAYERS, ON_SLIDE = 60, 14
AXES = {n + 2: (*sides, "input", "output") for n, sides in NAMES.items()} | {2: ("input", "output")}


@dataclass(frozen=True)
class Kernels(OfLayer, OneByOne):
    """Mean and deviation of every kernel, and the kernels of the first convolution or of layers."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """Statistics and kernels, as far as the layer has them; raises Skipped if it has neither."""
        layers = weighted_layers(net, self.layer)
        tell_left_out(net, self.layer, layers, "kernel", data.note, "kernels")
        names = convolutions(net) if self.layer is None else layers
        found = [statistics_picture(net, names)] if names else []
        for layer in layers:
            try:
                found.append(kernels_picture(net, layer))
            except Skipped as reason:
                if not found:
                    raise
                data.note(f"kernels: {reason}")
        return found


def statistics_picture(net: Net, names: list[str]) -> Picture:
    """One point per kernel: the mean and the standard deviation of its weights, trained and untrained, by layer."""
    pairs = {name: pair(net, name) for name in names}
    panels = {name: {kind: moments(w) for kind, w in sets.items()} for name, sets in pairs.items()}
    shown = dict(list(panels.items())[:MOST_LAYERS])
    title = f"{net.title}: mean and standard deviation of every kernel, {_sets(net)}"
    said = ". ".join(f"{name}, all weights: {summary(sets)}" for name, sets in list(pairs.items())[:3])
    more = f" Drawn are the first {MOST_LAYERS} of {len(panels)} layers." if len(panels) > MOST_LAYERS else ""
    caption = f"One mark per kernel (one output of a layer). {said}.{more}"
    for layer, sets in pairs.items():
        caption += missing_weights(sets).replace("weights", f"weights of {layer}")
    is_usual = len(names) != 1 and names == convolutions(net)
    name = "kernel_statistics" if is_usual else f"kernel_statistics_{'+'.join(names)}"
    draw = partial(chart, shown, title=title)
    found = Picture(name, title, caption, statistics_records(pairs), draw, {"network": net.name}, table=rows(pairs))
    parts = equal_parts(list(shown), ON_SLIDE)
    return found.divided([replace(found, draw=partial(strips, {k: shown[k] for k in p}, among=shown)) for p in parts])


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
    """A layer's kernels, trained and untrained, on one scale; raises Skipped if they cannot be drawn.

    Kernels of red, green and blue are on a scale of each set's own, since training changes their range. Of more inputs
    and outputs than can be drawn, those with the largest trained weights are.
    """
    weights = pair(net, layer)
    filters = {kind: as_filters(w, layer, net.image_shape) for kind, w in weights.items()}
    kept = strongest(filters["trained"])
    plans = {kind: arrange(w, kept) for kind, w in filters.items()}
    plan, maps = plans["trained"], {kind: plan.maps for kind, plan in plans.items()}
    scales = {kind: scale_for(*([w] if plan.maps.ndim == 4 else weights.values())) for kind, w in weights.items()}
    title = f"{net.title}, {layer}: {plan.what}, {_sets(net)}"
    caption = f"{scales_said(maps, scales)} All weights: {summary(weights)}.{missing_weights(weights)}"
    if kept is not None:
        shares = " and ".join(f"{kept.share(w):.0%} of the {kind}" for kind, w in filters.items())
        caption += f" The drawn inputs and outputs, the strongest first, have {shares} squared weights."
    draw = partial(_draw, maps, plan, scales, title)
    subject = {"network": net.name, "layer": layer}
    axes = dict.fromkeys(weights, AXES[weights["trained"].ndim])
    return Picture(f"kernels_{layer}", title, caption, weights, draw, subject, axes)


def scales_said(maps: Mapping[str, Maps | Curves], scales: Mapping[str, Scale]) -> str:
    """The sentence on the scale of all sets, or of each, and how many weights are clipped."""
    outside = {kind: scales[kind].outside(shown) for kind, shown in maps.items()}
    counts = ", ".join(f"{count:,} of {maps[kind].size:,} {kind}" for kind, count in outside.items())
    clipped = f"{counts} are clipped to its ends" if any(outside.values()) else "none is clipped"
    ends = {kind: f"from {-scale.high:g} to {scale.high:g}" for kind, scale in scales.items()}
    if len(set(ends.values())) == 1:
        return f"Weights on the scale {ends['trained']}; {clipped}."
    own = ", ".join(f"{kind} {each}" for kind, each in ends.items())
    return f"Weights on a scale of each network's own, {own}; {clipped}."


def layer_figure(layer: str, weights: Float[np.ndarray, "..."], image_shape: tuple[int, ...], title: str) -> Figure:
    """A figure of one set of a layer's kernels, on a scale of its own; raises Skipped if they cannot be drawn."""
    plan = arrange(as_filters(weights, layer, image_shape))
    return _draw({"": plan.maps}, plan, {"": scale_for(weights)}, f"{title}: {plan.what}")


def _sets(net: Net) -> str:
    return "trained and untrained" if net.beginnings else "trained"


def _draw(maps: Mapping[str, Maps | Curves], plan: Plan, scales: Mapping[str, Scale], title: str) -> Figure:
    """One panel per set; sets on scales of their own are drawn in units of its end, which is in the panel's name."""
    scale, label = next(iter(scales.values())), "weight"
    if len(set(scales.values())) > 1:
        ends = {kind: scale.high for kind, scale in scales.items()}
        named = {kind: signed(f"{kind}, from {-end:g} to {end:g}") for kind, end in ends.items()}
        maps = {named[kind]: shown / ends[kind] for kind, shown in maps.items()}
        scale, label = symmetric(1.0), "weight / end of the scale"
    draw = signals if plan.maps.ndim == 2 else grids
    return draw(maps, scale, title=title, label=label, columns=plan.columns, axes=plan.axes, indices=plan.indices)


def scale_for(*sets: Float[np.ndarray, "..."]) -> Scale:
    """-0.5 to 0.5 for convolutions with one input; otherwise a symmetric scale that fits all sets."""
    first = sets[0].ndim == 4 and sets[0].shape[2] == 1
    return symmetric(FIRST_LIMIT if first else scale_of(*sets).high)
