"""LAYERS: one function per supported Keras class, which makes the Linen layer from the layer's description."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn

from cnnviz.errors import InputError
from cnnviz.interop.keras.config import Described, Pair, is_kerass_own
from cnnviz.interop.linen import sequential, spatial
from cnnviz.interop.linen.activations import ACTIVATIONS, Function

LARGEST_SPAN = 1024  # pixels


def layer_of(described: Described) -> nn.Module:
    """The Linen layer for a description; raises InputError if its class or a field is not supported."""
    if described.kind not in LAYERS:
        code = ", which holds Python code, and none from a file is run" if described.kind == "Lambda" else ""
        raise InputError(
            f"layer {described.name!r} is a {described.kind}{code}; the layers that can be read are "
            f"{', '.join(LAYERS)} and InputLayer."
        )
    if described.config.get("data_format") not in (None, "channels_last"):
        raise described.wrong("data_format", described.config["data_format"], "channels_last")
    return LAYERS[described.kind](described)


def _conv(d: Described) -> nn.Module:
    return spatial.Conv2D(
        d.whole("filters"), d.pair("kernel_size"), groups=d.whole("groups", 1), **_window(d), **_linear(d)
    )


def _depthwise_conv(d: Described) -> nn.Module:
    multiplier = d.whole("depth_multiplier", 1)
    return spatial.DepthwiseConv2D(d.pair("kernel_size"), multiplier, **_window(d), **_linear(d))


def _dense(d: Described) -> nn.Module:
    return sequential.Dense(d.whole("units"), **_linear(d))


def _max_pooling(d: Described) -> nn.Module:
    return spatial.MaxPooling2D(*_pool(d))


def _average_pooling(d: Described) -> nn.Module:
    return spatial.AveragePooling2D(*_pool(d))


def _global_average_pooling(d: Described) -> nn.Module:
    return spatial.GlobalAveragePooling2D(d.flag("keepdims", False))


def _batch_normalization(d: Described) -> nn.Module:
    if d.config.get("mode") not in (None, 0):  # Keras 1 had two others
        raise d.wrong("mode", d.config["mode"], "0")
    return sequential.BatchNormalization(
        d.axis(),
        momentum=d.number("momentum", 0.99),
        epsilon=d.number("epsilon", 1e-3),
        center=d.flag("center", True),
        scale=d.flag("scale", True),
    )


def _activation(d: Described) -> nn.Module:
    return sequential.Activation(_function(d))


def _relu(d: Described) -> nn.Module:
    return sequential.ReLU(**_relu_options(d))


def _leaky_relu(d: Described) -> nn.Module:
    return sequential.LeakyReLU(**_leaky_relu_options(d))


def _softmax(d: Described) -> nn.Module:
    return sequential.Softmax(d.axis())


def _flatten(d: Described) -> nn.Module:
    return sequential.Flatten()


def _dropout(d: Described) -> nn.Module:
    rate = d.number("rate", 0.0)
    if not 0 <= rate < 1:
        raise d.wrong("rate", rate, "from 0 to less than 1")
    return sequential.Dropout(rate)


def _zero_padding(d: Described) -> nn.Module:
    """`padding` is one number for all sides, one per direction, or ((top, bottom), (left, right))."""
    value = d.config.get("padding", 1)
    directions = value if isinstance(value, list) else [value, value]
    sides = [side if isinstance(side, list) else [side, side] for side in directions]
    is_side = lambda n: isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**16
    if [len(side) for side in sides] != [2, 2] or not all(is_side(n) for side in sides for n in side):
        raise d.wrong("padding", value, "[[top, bottom], [left, right]]")
    (top, bottom), (left, right) = sides
    return spatial.ZeroPadding2D(((top, bottom), (left, right)))


LAYERS: dict[str, Callable[[Described], nn.Module]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise_conv,
    "Dense": _dense,
    "BatchNormalization": _batch_normalization,
    "MaxPooling2D": _max_pooling,
    "AveragePooling2D": _average_pooling,
    "GlobalAveragePooling2D": _global_average_pooling,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "Softmax": _softmax,
    "Flatten": _flatten,
    "Dropout": _dropout,
    "ZeroPadding2D": _zero_padding,
}


def _window(d: Described) -> dict[str, Any]:
    padding = d.choice("padding", "valid", ("valid", "same"))
    dilation = d.pair("dilation_rate", (1, 1))
    _check_span(d, "kernel_size", d.pair("kernel_size"), dilation)
    return {"strides": d.pair("strides", (1, 1)), "padding": padding, "dilation": dilation}


def _check_span(d: Described, key: str, size: Pair, dilation: Pair = (1, 1)) -> None:
    """Raises InputError for a window so large that XLA would compile it for hours, however small the image."""
    span = max((side - 1) * rate + 1 for side, rate in zip(size, dilation, strict=True))
    if span > LARGEST_SPAN:
        dilated = f" and dilation_rate = {list(dilation)}" if dilation != (1, 1) else ""
        raise InputError(
            f"layer {d.name!r} ({d.kind}) has {key} = {list(size)}{dilated}, so its window spans {span} pixels; "
            f"it may span {LARGEST_SPAN}."
        )


def _pool(d: Described) -> tuple[Pair, Pair, str]:
    size = d.pair("pool_size", (2, 2))
    _check_span(d, "pool_size", size)
    return size, d.pair("strides", size), d.choice("padding", "valid", ("valid", "same"))


def _linear(d: Described) -> dict[str, Any]:
    return {"use_bias": d.flag("use_bias", True), "activation": _function(d)}


def _relu_options(d: Described) -> dict[str, Any]:
    limit = None if d.config.get("max_value") is None else d.number("max_value", 0.0)
    return {
        "negative_slope": d.number("negative_slope", 0.0),
        "max_value": limit,
        "threshold": d.number("threshold", 0.0),
    }


def _leaky_relu_options(d: Described) -> dict[str, Any]:
    """Keras 3 calls the slope `negative_slope`, earlier versions `alpha`."""
    return {"negative_slope": d.number("negative_slope", d.number("alpha", 0.3))}


def _softmax_options(d: Described) -> dict[str, Any]:
    return {"axis": d.axis()}


# a layer given as another layer's activation: the function it applies, and how its options are read
_LAYERS_AS_FUNCTIONS: dict[str, tuple[str, Callable[[Described], dict[str, Any]]]] = {
    "ReLU": ("relu", _relu_options),
    "LeakyReLU": ("leaky_relu", _leaky_relu_options),
    "Softmax": ("softmax", _softmax_options),
}


def _function(d: Described) -> Function:
    """The field `activation`: null, a name, or the description of a function (Keras 3) or of a layer."""
    value = d.config.get("activation")
    if value is None:
        return Function()
    if isinstance(value, Mapping) and is_kerass_own(value):
        inner = value.get("config")
        kind = str(value.get("class_name"))
        if kind in _LAYERS_AS_FUNCTIONS and isinstance(inner, Mapping):
            name, options = _LAYERS_AS_FUNCTIONS[kind]
            return Function(name, tuple(options(Described(d.kind, d.name, inner, d.keras)).items()))
        value = inner
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise d.wrong("activation", d.config["activation"], f"one of {', '.join(ACTIVATIONS)}")
    if value == "hard_sigmoid" and d.keras < 3:
        return Function(value, (("slope", 0.2),))
    return Function(value)
