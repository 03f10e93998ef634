"""MERGED: how the Linen layer is made from the description of a layer of several values."""

from collections.abc import Callable

import flax.linen as nn

from cnnviz.interop.keras.fields import Described
from cnnviz.interop.linen import merging
from cnnviz.interop.linen.kinds import KINDS, MERGES


def _merge(d: Described) -> nn.Module:
    return KINDS[d.kind](d.kind.lower(), d.first)


def concatenate(d: Described) -> nn.Module:
    """Values joined along an axis, by a layer or an operation."""
    return merging.Concatenate(d.axis(), d.first)


def _dot(d: Described) -> nn.Module:
    axes = d.axes("axes")
    if len(axes) not in (1, 2):
        raise d.wrong("axes", d.config["axes"], "one axis, or one of each value")
    return merging.Dot((axes[0], axes[-1]), d.flag("normalize", False), d.first)


MERGED: dict[str, Callable[[Described], nn.Module]] = {
    **dict.fromkeys(MERGES, _merge),
    "Concatenate": concatenate,
    "Dot": _dot,
}
