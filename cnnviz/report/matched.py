"""Which unit of another network is which of the first one's, so that a page has their kernels below each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz.comparison.alignment import Aligned, why_not
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.pictures.compared.pairs import OfMatching, Pair, aligned, pairs_of
from cnnviz.pictures.picture import Data
from cnnviz.report.payload import rounded


def matched(nets: Sequence[Net], data: Data) -> list[dict[str, Any]]:
    """For the first network with each other one: by layer, which unit of the other belongs to each of its own.

    `order` has the other's unit for each unit of the first, `flipped` those of the first whose match has the opposite
    sign, and `alike` the cosines of all weights from and to both. Networks that are not matched have the reason in
    `why`. The units are those of the comparison's pictures, matched by their weights once for both.
    """
    pairs = [pair for pair in pairs_of(nets) if not pair.is_within]
    return [{"networks": [0, i + 1], **_pair(pair, data)} for i, pair in enumerate(pairs)]


def _pair(pair: Pair, data: Data) -> dict[str, Any]:
    try:
        if why := why_not(pair.one, pair.other):
            return {"why": why, "layers": {}}
        its = aligned(pair, data, OfMatching())
    except InputError as error:
        return {"why": str(error), "layers": {}}
    known = {layer.name for layer in pair.other.layers}
    found = {layer.name: _layer(its, layer) for layer in pair.one.layers if layer.name in known and layer.shape}
    return {"why": "", "layers": {name: own for name, own in found.items() if own}}


def _layer(its: Aligned, layer: Any) -> dict[str, Any]:
    """The units of a layer that are channels of its values; nothing if none of them may change places."""
    channels = layer.shape[-1]
    order, signs, alike = np.arange(channels), np.ones(channels), np.full(channels, np.nan)
    for group in its.tied.groups:
        place = group.layers.get(layer.name)
        if place is None or place.axis != len(layer.shape) or place.columns or place.positions.shape[1] != 1:
            continue
        own, at = its.permutations[group.name], place.positions[:, 0]
        order[at], alike[at] = at[own.order], its.by_weights[group.name].units
        signs[at] = own.signs if place.signed else 1
    if np.isnan(alike).all():
        return {}
    shown = [None if np.isnan(value) else value for value in rounded(alike)]
    return {"order": order.tolist(), "flipped": np.flatnonzero(signs < 0).tolist(), "alike": shown}
