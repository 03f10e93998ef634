"""NORMALIZATIONS: how the Linen layer is made from the description of a layer that normalizes or rescales."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn

from cnnviz.interop.keras.fields import Described
from cnnviz.interop.linen import normalization


def _batch_normalization(d: Described) -> nn.Module:
    if d.config.get("mode") not in (None, 0):  # Keras 1 had two others
        raise d.wrong("mode", d.config["mode"], "0")
    if d.config.get("renorm"):
        raise d.wrong("renorm", d.config["renorm"], "false")
    return normalization.BatchNormalization(d.axis(), momentum=d.number("momentum", 0.99), **_affine(d))


def _layer_normalization(d: Described) -> nn.Module:
    by_deviation = d.flag("rms_scaling", False)  # and not by the root mean square, whatever its name says
    affine = {**_affine(d), "scale": True, "center": False} if by_deviation else _affine(d)
    return normalization.LayerNormalization(d.axes(), centered=not by_deviation, **affine)


def _rms_normalization(d: Described) -> nn.Module:
    affine = {"epsilon": d.number("epsilon", 1e-6), "center": False, "channels_first": d.first}
    return normalization.LayerNormalization(d.axes(), rms=True, **affine)


def _group_normalization(d: Described) -> nn.Module:
    groups = d.value("groups", 32)
    groups = -1 if groups == -1 else d.whole("groups", 32)
    return normalization.GroupNormalization(groups, d.axis(), **_affine(d))


def _unit_normalization(d: Described) -> nn.Module:
    return normalization.UnitNormalization(d.axes(), d.first)


def _normalization(d: Described) -> nn.Module:
    """One mean and variance in total if the file's axis is null; those in the description, or in the weights."""
    axes = () if "axis" in d.config and d.config["axis"] is None else d.axes()
    given = d.config.get("mean") is not None
    mean, variance = (d.numbers(key) if given else () for key in ("mean", "variance"))
    if any(value < 0 for value in variance) or len(mean) != len(variance):
        raise d.wrong("variance", d.config["variance"], "numbers from 0, as many as the means")
    return normalization.Normalization(axes, mean, variance, d.flag("invert", False), d.first)


def _rescaling(d: Described) -> nn.Module:
    return normalization.Rescaling(d.numbers("scale"), d.numbers("offset", 0.0))


NORMALIZATIONS: dict[str, Callable[[Described], nn.Module]] = {
    "BatchNormalization": _batch_normalization,
    "SyncBatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "RMSNormalization": _rms_normalization,
    "GroupNormalization": _group_normalization,
    "UnitNormalization": _unit_normalization,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
}


def _affine(d: Described) -> dict[str, Any]:
    return {
        "epsilon": d.number("epsilon", 1e-3),
        "center": d.flag("center", True),
        "scale": d.flag("scale", True),
        "channels_first": d.first,
    }
