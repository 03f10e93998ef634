"""The Linen layer for the description of an operation, such as `x - mean` or `keras.ops.mean(x, axis=1)`."""

from collections.abc import Callable

import flax.linen as nn

from cnnviz.errors import InputError
from cnnviz.interop.keras.calls import Constant
from cnnviz.interop.keras.fields import Described, is_whole
from cnnviz.interop.keras.merges import concatenate
from cnnviz.interop.linen import dense, merging, operations, reshaping
from cnnviz.interop.linen.activations import ACTIVATIONS, Function

# what operations of one value are called among the activations, and the option that one has
ACTIVATED = {name.replace("_", ""): name for name in ACTIVATIONS if name != "linear"} | {"exp": "exponential"}
OPTION = {"leaky_relu": "negative_slope", "elu": "alpha", "celu": "alpha"}
OPTION |= {"hard_shrink": "threshold", "soft_shrink": "threshold"}
OF_TWO = {name: name for name in merging.FUNCTIONS} | {"truedivide": "divide", "truediv": "divide"}


def operation_of(d: Described, constants: tuple[Constant | None, ...]) -> nn.Module:
    """The layer of an operation; `constants` has its operands, None for each that is another layer's output.

    Raises InputError if it is not one of two operands in OF_TWO, nor one of Keras 3's of one value or that joins some.
    """
    called = _called(d)
    if called in OF_TWO and len(constants) == 2:
        return merging.Arithmetic(OF_TWO[called], (constants[0], constants[1]), d.first)
    if d.keras >= 3 and called == "concatenate" and None in constants:
        return concatenate(d)
    if d.keras >= 3 and called in ACTIVATED and constants == (None,) and d.config.get("axis", -1) == -1:
        return dense.Activation(_activated(d, ACTIVATED[called]))
    if d.keras >= 3 and called in OF_ONE and constants == (None,):
        return OF_ONE[called](d)
    raise InputError(
        f"layer {d.name!r} is the operation {called} of {len(constants)} operands, which is not read; use a layer of "
        "Keras in its place, or one of the operations in cnnviz.interop.keras.operations, and save the model again."
    )


def _activated(d: Described, name: str) -> Function:
    if name == "gelu":
        return Function(name, (("approximate", float(d.flag("approximate", True))),))
    option = OPTION.get(name, "")
    given = d.config.get(option) is not None
    return Function(name, ((option, d.number(option, 0.0)),) if given else (), d.first)


def _reduction(d: Described) -> nn.Module:
    if d.config.get("initial") is not None:
        raise d.wrong("initial", d.config["initial"], "null")
    return operations.Reduction(_called(d), d.axes("axis", None), d.flag("keepdims", False), d.first)


def _reshape(d: Described) -> nn.Module:
    shape = d.config.get("newshape")
    if not isinstance(shape, list) or shape[:1] != [-1] or not shape[1:] or not all(map(is_whole, shape[1:])):
        raise d.wrong("newshape", shape, "-1, for any number of images, and then whole numbers from 1")
    return reshaping.Reshape(tuple(shape[1:]), d.first)


def _transpose(d: Described) -> nn.Module:
    axes = d.axes("axes")
    if sorted(axes) != list(range(len(axes))) or axes[0] != 0:
        raise d.wrong("axes", list(axes), "the numbers of all axes in another order, 0 first")
    return reshaping.Permute(axes[1:], d.first)


def _clip(d: Described) -> nn.Module:
    return operations.Clip(d.number("x_min", None), d.number("x_max", None))


def _pad(d: Described) -> nn.Module:
    if d.choice("mode", "constant", ["constant"]) and (value := d.config.get("constant_values")):
        raise d.wrong("constant_values", value, "0")
    widths = d.value("pad_width")
    pairs = isinstance(widths, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in widths)
    if not pairs or widths[:1] != [[0, 0]] or not all(is_whole(width, 0) for pair in widths for width in pair):
        raise d.wrong("pad_width", widths, "a pair of whole numbers for each axis, of zeros for the first")
    return operations.Pad(tuple((before, after) for before, after in widths[1:]), d.first)


def _called(d: Described) -> str:
    """The operation's name: "multiply" of Keras 3's class Multiply, and of Keras 2's function "math.multiply"."""
    return str(d.config.get("function", d.kind)).split(".")[-1].lower()


OF_ONE: dict[str, Callable[[Described], nn.Module]] = {
    **dict.fromkeys(operations.ELEMENTWISE, lambda d: operations.Elementwise(_called(d))),
    **dict.fromkeys(operations.REDUCTIONS, _reduction),
    "softmax": lambda d: dense.Softmax(d.axes(), d.first),
    "clip": _clip,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "expanddims": lambda d: operations.ExpandDims(d.axis(), d.first),
    "squeeze": lambda d: operations.Squeeze(d.axes("axis", []), d.first),
}
