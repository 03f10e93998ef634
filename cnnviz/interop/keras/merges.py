"""MERGED: how the Linen layer is made from the description of a layer or an operation of several values."""

from collections.abc import Callable

import flax.linen as nn

from cnnviz.errors import InputError
from cnnviz.interop.keras.fields import Described
from cnnviz.interop.linen import merging
from cnnviz.interop.linen.kinds import KINDS, MERGES

OPERATIONS = {name: name for name in merging.FUNCTIONS} | {"truedivide": "divide", "truediv": "divide"}


def operation_of(d: Described, numbers: tuple[float | None, ...]) -> nn.Module:
    """An operation such as `x + 3`; raises InputError if it is not one of two operands in OPERATIONS."""
    called = str(d.config.get("function", d.kind)).split(".")[-1].lower()  # "math.multiply" in Keras 2
    if called not in OPERATIONS or len(numbers) != 2:
        raise InputError(
            f"layer {d.name!r} is the operation {called} of {len(numbers)} operands; of the operations, "
            f"{', '.join(OPERATIONS)} of two can be read."
        )
    return merging.Arithmetic(OPERATIONS[called], (numbers[0], numbers[1]))


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
