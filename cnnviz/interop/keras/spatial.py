"""SPATIAL: how the Linen layer is made from the description of a layer of images, of one, two or three axes."""

import re
from collections.abc import Callable
from typing import Any

import flax.linen as nn

from cnnviz.errors import InputError
from cnnviz.interop.keras.fields import Described
from cnnviz.interop.keras.functions import function
from cnnviz.interop.linen import reshaping
from cnnviz.interop.linen.kinds import KINDS, RANKED

LARGEST_SPAN = 1024  # pixels
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
SIDES = {1: "[left, right]", 2: "[[top, bottom], [left, right]]", 3: "three pairs of numbers"}
Sides = tuple[tuple[int, int], ...]


def rank_of(d: Described) -> int:
    """The number of spatial axes in the name of a class: 2 for `Conv2D`."""
    return int(re.findall("[123]", d.kind)[-1])


def _conv(d: Described) -> nn.Module:
    size = d.wholes("kernel_size", rank_of(d))
    return KINDS[d.kind](d.whole("filters"), size, groups=d.whole("groups", 1), **_window(d), **linear(d))


def _depthwise_conv(d: Described) -> nn.Module:
    multiplier = d.whole("depth_multiplier", 1)
    return KINDS[d.kind](d.wholes("kernel_size", rank_of(d)), multiplier, **_window(d), **linear(d))


def _separable_conv(d: Described) -> nn.Module:
    size, multiplier = d.wholes("kernel_size", rank_of(d)), d.whole("depth_multiplier", 1)
    return KINDS[d.kind](d.whole("filters"), size, multiplier, **_window(d), **linear(d))


def _conv_transpose(d: Described) -> nn.Module:
    rank = rank_of(d)
    given = d.config.get("output_padding") is not None
    more = d.wholes("output_padding", rank, least=0) if given else ()
    size = d.wholes("kernel_size", rank)
    if any(extra >= stride for extra, stride in zip(more, d.wholes("strides", rank, 1), strict=False)):
        raise d.wrong("output_padding", list(more), "less than the strides")
    if d.config.get("groups") not in (None, 1):
        raise d.wrong("groups", d.config["groups"], "1")
    return KINDS[d.kind](d.whole("filters"), size, output_padding=more, **_window(d), **linear(d))


def _pooling(d: Described) -> nn.Module:
    rank = rank_of(d)
    size = d.wholes("pool_size", rank, 2)
    _check_span(d, "pool_size", size)
    return KINDS[d.kind](size, d.wholes("strides", rank, size), d.choice("padding", "valid", ("valid", "same")))


def _global_pooling(d: Described) -> nn.Module:
    return KINDS[d.kind](d.flag("keepdims", False))


def _zero_padding(d: Described) -> nn.Module:
    return KINDS[d.kind](_sides(d, "padding"))


def _cropping(d: Described) -> nn.Module:
    return KINDS[d.kind](_sides(d, "cropping"))


def _up_sampling(d: Described) -> nn.Module:
    size = d.wholes("size", rank_of(d), 2)
    _check_span(d, "size", size)
    return KINDS[d.kind](size, d.choice("interpolation", "nearest", INTERPOLATIONS))


def _center_crop(d: Described) -> nn.Module:
    return reshaping.CenterCrop((d.whole("height"), d.whole("width")))


def _resizing(d: Described) -> nn.Module:
    for flag in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if d.flag(flag, False):
            raise d.wrong(flag, True, "false")
    interpolation = d.choice("interpolation", "bilinear", INTERPOLATIONS)
    return reshaping.Resizing((d.whole("height"), d.whole("width")), interpolation)


FORMS: dict[str, Callable[[Described], nn.Module]] = {
    "Conv{}D": _conv,
    "DepthwiseConv{}D": _depthwise_conv,
    "SeparableConv{}D": _separable_conv,
    "Conv{}DTranspose": _conv_transpose,
    "MaxPooling{}D": _pooling,
    "AveragePooling{}D": _pooling,
    "GlobalMaxPooling{}D": _global_pooling,
    "GlobalAveragePooling{}D": _global_pooling,
    "ZeroPadding{}D": _zero_padding,
    "Cropping{}D": _cropping,
    "UpSampling{}D": _up_sampling,
}
SPATIAL = {form.format(n): make for form, make in FORMS.items() for n in RANKED[form][1]}
SPATIAL |= {"CenterCrop": _center_crop, "Resizing": _resizing}


def linear(d: Described) -> dict[str, Any]:
    """The bias and the activation of a convolution or a dense layer."""
    return {"use_bias": d.flag("use_bias", True), "activation": function(d)}


def _window(d: Described) -> dict[str, Any]:
    rank = rank_of(d)
    causal = ("causal",) if d.kind in ("Conv1D", "SeparableConv1D") else ()
    padding = d.choice("padding", "valid", ("valid", "same", *causal))
    dilation = d.wholes("dilation_rate", rank, 1)
    _check_span(d, "kernel_size", d.wholes("kernel_size", rank), dilation)
    return {"strides": d.wholes("strides", rank, 1), "padding": padding, "dilation": dilation}


def _check_span(d: Described, key: str, size: tuple[int, ...], dilation: tuple[int, ...] = ()) -> None:
    """Raises InputError for a window so large that XLA would compile it for hours, however small the image."""
    span = max((side - 1) * rate + 1 for side, rate in zip(size, dilation or (1,) * len(size), strict=True))
    if span > LARGEST_SPAN:
        dilated = f" and dilation_rate = {list(dilation)}" if any(rate != 1 for rate in dilation) else ""
        raise InputError(
            f"layer {d.name!r} ({d.kind}) has {key} = {list(size)}{dilated}, so its window spans {span} pixels; "
            f"it may span {LARGEST_SPAN}."
        )


def _sides(d: Described, key: str) -> Sides:
    """A field that is one number for all sides, one for each axis, or a pair for each axis."""
    rank, value = rank_of(d), d.config.get(key, 1)
    axes = [value] if rank == 1 else value if isinstance(value, list) else [value] * rank
    sides = [side if isinstance(side, list) else [side, side] for side in axes]
    is_side = lambda n: isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**16
    if [len(side) for side in sides] != [2] * rank or not all(is_side(n) for side in sides for n in side):
        raise d.wrong(key, value, SIDES[rank])
    return tuple((before, after) for before, after in sides)
