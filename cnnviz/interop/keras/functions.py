"""A layer's field `activation`, and the layers that are one function."""

from collections.abc import Callable, Mapping
from typing import Any

from cnnviz.interop.keras.config import is_kerass_own
from cnnviz.interop.keras.fields import Described
from cnnviz.interop.linen.activations import ACTIVATIONS, Function


def function(d: Described) -> Function:
    """The field `activation`: null, a name, or the description of a function (Keras 3) or of a layer."""
    value = d.config.get("activation")
    if value is None:
        return Function()
    if isinstance(value, Mapping) and is_kerass_own(value):
        inner = value.get("config")
        kind = str(value.get("class_name"))
        if kind in _LAYERS_AS_FUNCTIONS and isinstance(inner, Mapping):
            name, options = _LAYERS_AS_FUNCTIONS[kind]
            given = options(Described(d.kind, d.name, inner, d.keras))
            return Function(name, tuple(given.items()), d.first)
        value = inner
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise d.wrong("activation", d.config["activation"], f"one of {', '.join(ACTIVATIONS)}")
    if value == "hard_sigmoid" and d.keras < 3:
        return Function(value, (("slope", 0.2),))
    return Function(value, (), d.first)


def relu_options(d: Described) -> dict[str, Any]:
    """The options of a ReLU."""
    limit = None if d.config.get("max_value") is None else d.number("max_value", 0.0)
    return {
        "negative_slope": d.number("negative_slope", 0.0),
        "max_value": limit,
        "threshold": d.number("threshold", 0.0),
    }


def leaky_relu_options(d: Described) -> dict[str, Any]:
    """The slope of a LeakyReLU, which Keras 3 calls `negative_slope` and earlier versions `alpha`."""
    return {"negative_slope": d.number("negative_slope", d.number("alpha", 0.3))}


def elu_options(d: Described) -> dict[str, Any]:
    """The factor of an ELU."""
    return {"alpha": d.number("alpha", 1.0)}


# a layer given as another layer's activation: the function it applies, and how its options are read
_LAYERS_AS_FUNCTIONS: dict[str, tuple[str, Callable[[Described], dict[str, Any]]]] = {
    "ReLU": ("relu", relu_options),
    "LeakyReLU": ("leaky_relu", leaky_relu_options),
    "ELU": ("elu", elu_options),
    "Softmax": ("softmax", lambda d: {"axis": d.axis()}),
}
