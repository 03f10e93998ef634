"""The kernels of the first convolution of one network, each above the kernel of another that it was matched with."""

from functools import partial

import numpy as np
from jaxtyping import Float, Int

from cnnviz.comparison.alignment import Aligned, Likeness, likeness, unit_rows
from cnnviz.comparison.layers import layers_of
from cnnviz.comparison.search import assigned
from cnnviz.figures.matched import matched
from cnnviz.figures.montage import Maps
from cnnviz.figures.scales import scale_of, symmetric
from cnnviz.networks import Net
from cnnviz.pictures.compared.pairs import Pair
from cnnviz.pictures.kernel_maps import as_filters, is_of_pixels
from cnnviz.pictures.picture import Picture, Skipped, size
from cnnviz.pictures.weights import weighted_layers

MOST = 64
Filters = Float[np.ndarray, "h w i o"]


def matched_kernels(pair: Pair, its: Aligned | None, place: int) -> Picture | None:
    """The kernels of both networks' first convolution, the most alike first; None if they cannot be drawn in pairs.

    Networks whose other layers differ have no `Aligned`; kernels of one shape are matched by themselves.
    """
    names = [_first(net) for net in (pair.one, pair.other)]
    if any(name is None for name in names):
        return None
    one, other = (_filters(net, name) for net, name in zip((pair.one, pair.other), names, strict=True))
    if one is None or other is None or one.shape != other.shape or not np.isfinite([one, other]).all():
        return None
    order, signs = _order(one, other, its, f"{names[1]}")
    other = other[..., order] * signs
    alike = likeness([_rows(one)], [_rows(other)], np.random.default_rng(0))
    return _picture(pair, (one, other), order, alike, f"{names[0]}", place, is_alone=its is None)


def _first(net: Net) -> str | None:
    try:
        return weighted_layers(net, None)[0]
    except Skipped:
        return None


def _filters(net: Net, layer: str | None) -> Filters | None:
    try:
        filters = as_filters(layers_of(net, net.variables)[f"{layer}"], f"{layer}", net.image_shape)
    except Skipped:
        return None
    return filters if filters.ndim == 4 and is_of_pixels(filters) else None


def _rows(filters: Filters) -> Float[np.ndarray, "o f"]:
    return np.moveaxis(filters, -1, 0).reshape(filters.shape[-1], -1)


def _order(
    one: Filters, other: Filters, its: Aligned | None, layer: str
) -> tuple[Int[np.ndarray, " o"], Float[np.ndarray, " o"]]:
    """Which of B's kernels is below which of A's, and the signs; those of the match where there is one."""
    count = one.shape[-1]
    if its is None:
        return assigned((unit_rows(_rows(one)) @ unit_rows(_rows(other)).T).astype(np.float64)), np.ones(
            count, np.float32
        )
    order, signs = np.arange(count), np.ones(count, np.float32)
    for group in its.tied.groups:
        for place in group.places:
            if its.tied.leaves[place.leaf].partition("/")[2] == f"{layer}/kernel" and place.positions.shape[1] == 1:
                own, at = its.permutations[group.name], place.positions[:, 0]
                order[at], signs[at] = at[own.order], own.signs
    return order, signs


def _picture(
    pair: Pair,
    filters: tuple[Filters, Filters],
    order: Int[np.ndarray, " o"],
    alike: Likeness,
    layer: str,
    place: int,
    *,
    is_alone: bool,
) -> Picture:
    best = np.argsort(-alike.units, kind="stable")
    shown = best[:MOST]
    one, other = (_maps(each)[shown] for each in filters)
    texts = [f"{alike.units[i]:.2f}".replace("-", "−") for i in shown]
    names = pair.one.name, pair.other.name
    title = f"Kernels of {layer}, {size(filters[0].shape[:2])}, matched: {pair.name}"
    above = int((alike.units > alike.threshold).sum())
    caption = (
        f"Above: a kernel of {names[0]}; below: the kernel of {names[1]} that it was matched with; the number is "
        f"their cosine. {above} of {len(order)} pairs are above {alike.threshold:.2f}, which 5% of pairs exceed by "
        "chance: those of kernels whose weights are in random order, matched as well."
    )
    if is_alone:
        caption += " The networks differ in other layers, so these kernels were matched by themselves."
    if len(order) > MOST:
        caption += f" Drawn are the {MOST} most alike of {len(order)}."
    draw = partial(matched, one, other, texts, symmetric(scale_of(*filters).high), names, title=title)
    records = [{"kernel of A": int(i), "kernel of B": int(order[i]), "cosine": float(alike.units[i])} for i in best]
    name = "matched_kernels" if place == 0 else f"matched_kernels_{chr(ord('b') + place)}"
    return Picture(name, title, caption, records, draw, {"networks": list(names), "layer": layer})


def _maps(filters: Filters) -> Maps:
    maps = np.moveaxis(filters, -1, 0)
    return maps[..., 0] if maps.shape[-1] == 1 else maps
