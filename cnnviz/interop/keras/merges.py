"""MERGED: how the Linen layer is made from the description of a layer or an operation of several values."""

from collections.abc import Callable

import flax.linen as nn

from cnnviz.errors import InputError
from cnnviz.interop.keras.fields import Described
from cnnviz.interop.linen import dense, merging
from cnnviz.interop.linen.activations import ACTIVATIONS, Function
from cnnviz.interop.linen.kinds import KINDS, MERGES

# what operations of one value are called among the activations, and the option that one has
ACTIVATED = {name.replace("_", ""): name for name in ACTIVATIONS if name != "linear"} | {"exp": "exponential"}
OPTION = {"leaky_relu": "negative_slope", "elu": "alpha", "celu": "alpha"}
OPTION |= {"hard_shrink": "threshold", "soft_shrink": "threshold"}
OPERATIONS = {name: name for name in merging.FUNCTIONS} | {"truedivide": "divide", "truediv": "divide"}


def operation_of(d: Described, numbers: tuple[float | None, ...]) -> nn.Module:
    """An operation such as `x + 3` or `ops.relu(x)`.

    Raises InputError if it is not one of two operands in OPERATIONS, nor one of Keras 3's in ACTIVATED, nor one that
    joins values.
    """
    called = str(d.config.get("function", d.kind)).split(".")[-1].lower()  # "math.multiply" in Keras 2
    if called in OPERATIONS and len(numbers) == 2:
        return merging.Arithmetic(OPERATIONS[called], (numbers[0], numbers[1]))
    if d.keras >= 3 and called == "concatenate" and None in numbers:
        return _concatenate(d)
    if d.keras >= 3 and called == "softmax" and numbers == (None,):
        return dense.Softmax(d.axes(), d.first)
    if d.keras >= 3 and called in ACTIVATED and numbers == (None,) and d.config.get("axis", -1) == -1:
        return dense.Activation(_activated(d, ACTIVATED[called]))
    raise InputError(
        f"layer {d.name!r} is the operation {called} of {len(numbers)} operands, which is not read; use a layer of "
        f"Keras in its place, or {', '.join(merging.FUNCTIONS)} of two values, and save the model again."
    )


def _activated(d: Described, name: str) -> Function:
    if name == "gelu":
        return Function(name, (("approximate", float(d.flag("approximate", True))),))
    option = OPTION.get(name, "")
    given = d.config.get(option) is not None
    return Function(name, ((option, d.number(option, 0.0)),) if given else (), d.first)


def _merge(d: Described) -> nn.Module:
    return KINDS[d.kind](d.kind.lower(), d.first)


def _concatenate(d: Described) -> nn.Module:
    return merging.Concatenate(d.axis(), d.first)


def _dot(d: Described) -> nn.Module:
    axes = d.axes("axes")
    if len(axes) not in (1, 2):
        raise d.wrong("axes", d.config["axes"], "one axis, or one of each value")
    return merging.Dot((axes[0], axes[-1]), d.flag("normalize", False), d.first)


MERGED: dict[str, Callable[[Described], nn.Module]] = {
    **dict.fromkeys(MERGES, _merge),
    "Concatenate": _concatenate,
    "Dot": _dot,
}
