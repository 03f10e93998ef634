"""LAYERS: one function per supported Keras class, which makes the Linen layer from the layer's description."""

from collections.abc import Callable

import flax.linen as nn

from cnnviz.errors import InputError
from cnnviz.errors.wording import article
from cnnviz.interop.keras.calls import Constants
from cnnviz.interop.keras.fields import Described, is_whole
from cnnviz.interop.keras.functions import elu_options, function, leaky_relu_options, relu_options
from cnnviz.interop.keras.merges import MERGED
from cnnviz.interop.keras.normalizations import NORMALIZATIONS
from cnnviz.interop.keras.operations import operation_of
from cnnviz.interop.keras.spatial import SPATIAL, linear
from cnnviz.interop.linen import dense, regularization, reshaping
from cnnviz.interop.linen.kinds import KINDS, RANDOM, UNCHANGED

FORMATS = ("channels_last", "channels_first")


def layer_of(described: Described, constants: Constants = ()) -> nn.Module:
    """The Linen layer for a description; raises InputError if its class or a field is not supported.

    `constants` are those among the operands of an operation.
    """
    if described.kind.startswith("ops."):
        return operation_of(described, constants)
    if described.kind not in LAYERS:
        raise _not_read(described)
    if "quantized" in str(described.config.get("dtype")).lower():
        raise InputError(f"layer {described.name!r} is quantized; save the model as it is before model.quantize.")
    if described.config.get("data_format") not in (None, *FORMATS):
        raise described.wrong("data_format", described.config["data_format"], " or ".join(FORMATS))
    if described.config.get("data_format") == "channels_first" and not described.first:  # as Keras 1, and few others
        raise described.wrong("data_format", "channels_first", "channels_last")
    return LAYERS[described.kind](described)


def _not_read(d: Described) -> InputError:
    """The error for a layer of a class that is not in LAYERS."""
    if d.kind == "Lambda":
        return InputError(
            f"layer {d.name!r} is a Lambda, which holds Python code, and none from a file is run; use a layer of "
            "Keras in its place, such as Rescaling, Activation or Reshape, and save the model again."
        )
    return InputError(
        f"layer {d.name!r} is {article(d.kind.lower())} {d.kind}, which is not read; save a model that ends before it, "
        "keras.Model(model.inputs, layer.output), or one of layers in cnnviz.interop.keras.layers.LAYERS."
    )


def _dense(d: Described) -> nn.Module:
    return dense.Dense(d.whole("units"), **linear(d), channels_first=d.first)


def _activation(d: Described) -> nn.Module:
    return dense.Activation(function(d))


def _relu(d: Described) -> nn.Module:
    return dense.ReLU(**relu_options(d))


def _leaky_relu(d: Described) -> nn.Module:
    return dense.LeakyReLU(**leaky_relu_options(d))


def _elu(d: Described) -> nn.Module:
    return dense.ELU(**elu_options(d))


def _thresholded_relu(d: Described) -> nn.Module:
    return dense.ThresholdedReLU(d.number("theta", 1.0))


def _prelu(d: Described) -> nn.Module:
    return dense.PReLU(d.axes("shared_axes", []), d.first)


def _softmax(d: Described) -> nn.Module:
    return dense.Softmax(d.axes(), d.first)


def _layer_scale(d: Described) -> nn.Module:
    return dense.LayerScale(d.whole("projection_dim"))


def _dropout(d: Described) -> nn.Module:
    rate = d.number("rate", 0.0)
    if not 0 <= rate < 1:
        raise d.wrong("rate", rate, "from 0 to less than 1")
    return regularization.Dropout(rate)


def _identity(d: Described) -> nn.Module:
    return KINDS[d.kind](d.kind in RANDOM)


def _flatten(d: Described) -> nn.Module:
    """Told that the channels are first, Keras moves them last before it flattens; else it takes values as they lie."""
    return reshaping.Flatten(d.first and d.config.get("data_format") != "channels_first")


def _reshape(d: Described) -> nn.Module:
    value = d.value("target_shape")
    if not isinstance(value, list) or not all(is_whole(side) or side == -1 for side in value) or value.count(-1) > 1:
        raise d.wrong("target_shape", value, "a list of whole numbers, one of which may be -1")
    return reshaping.Reshape(tuple(value), d.first)


def _permute(d: Described) -> nn.Module:
    value = d.value("dims")
    if not isinstance(value, list) or sorted(map(str, value)) != [str(i) for i in range(1, len(value) + 1)]:
        raise d.wrong("dims", value, "the numbers of all axes, from 1, in another order")
    return reshaping.Permute(tuple(map(int, value)), d.first)


def _repeat_vector(d: Described) -> nn.Module:
    return reshaping.RepeatVector(d.whole("n"), d.first)


LAYERS: dict[str, Callable[[Described], nn.Module]] = {
    **SPATIAL,
    **NORMALIZATIONS,
    **MERGED,
    "Dense": _dense,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "ThresholdedReLU": _thresholded_relu,
    "PReLU": _prelu,
    "Softmax": _softmax,
    "LayerScale": _layer_scale,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    **dict.fromkeys((*RANDOM, *UNCHANGED), _identity),
}
