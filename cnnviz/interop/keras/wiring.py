"""How a Keras file says which layers a model has and what each is called on.

A Sequential lists its layers. A Functional model lists, for each layer, what it is called on at each call: outputs of
other layers, as `[layer, call, output]`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop.keras.calls import Constants, Read, calls_of, reads_of
from cnnviz.interop.keras.config import MODELS, described, fields, is_model, name_of
from cnnviz.interop.keras.fields import Described, shortly
from cnnviz.interop.linen.graph import Call, Ref

MOST_LAYERS = 2000  # each takes about two milliseconds
RESERVED = "params"
SPATIAL = ("1D", "2D", "3D", "Transpose")  # ends of the names of layers that say where the channels are


@dataclass(frozen=True)
class Wired:
    """A model as the file describes it: its layers, which may be models, in the file's order, and their calls."""

    name: str
    kind: str
    layers: "tuple[Described | Wired, ...]"
    calls: tuple[Call, ...]
    inputs: tuple[tuple[str, Any], ...]  # names, and the shapes of batches as the file has them
    outputs: tuple[tuple[str, Ref], ...]
    constants: Mapping[str, Constants]  # of each operation: those among its operands
    trainable: bool = True

    @property
    def size(self) -> int:
        """How many calls of layers one call of the model makes."""
        inner = {layer.name: layer.size for layer in self.layers if isinstance(layer, Wired)}
        return sum(inner.get(call.layer, 1) for call in self.calls)


def read_wiring(model: Mapping[str, Any], keras: int) -> Wired:
    """The model that a file describes. Raises InputError if it is damaged, or not a Sequential or Functional model."""
    first = puts_channels_first(model)
    wired = _wired(model, keras, first)
    if any(layer.name == RESERVED for layer in wired.layers):
        raise InputError(f"a layer has the name {RESERVED!r}, which Flax has for all weights; give it another one.")
    if wired.size > MOST_LAYERS:
        raise InputError(f"the model calls {wired.size} layers; at most {MOST_LAYERS} can be read.")
    return wired


def puts_channels_first(entry: Any) -> bool:
    """Whether the layers of images have their channels first. Raises InputError if only some of them have."""
    formats = set(_formats(entry))
    if formats == {"channels_first", "channels_last"}:
        raise InputError("some of its layers have channels_first and others channels_last; all must have one of them.")
    return formats == {"channels_first"}


def _formats(entry: Any) -> Sequence[str]:
    """The `data_format` of each layer of images in a description."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(entry, Mapping) and is_model(entry):
        inner = config if isinstance(config, list) else config.get("layers") if isinstance(config, Mapping) else None
        return [found for layer in inner or [] for found in _formats(layer)] if isinstance(inner, list) else []
    found = config.get("data_format") if isinstance(config, Mapping) else None
    kind = str(entry.get("class_name")) if isinstance(entry, Mapping) else ""
    says = kind.endswith(SPATIAL) or (kind == "Flatten" and found == "channels_first")
    return [found] if says and isinstance(found, str) else []


def _wired(model: Mapping[str, Any], keras: int, first: bool) -> Wired:
    kind, body = model.get("class_name"), model.get("config")
    if kind not in MODELS:
        raise InputError(f"it is a {shortly(kind)}; a Sequential or a Functional model can be read.")
    config = {"layers": body} if isinstance(body, list) else fields(body)  # before Keras 2.2.3 a plain list
    entries = _entries(config.get("layers"))
    wire = _sequential if kind == "Sequential" else _functional
    calls, inputs, outputs, constants = wire(entries, config, keras)
    layers = tuple(
        _wired(entry, keras, first) if is_model(entry) else described(entry, keras, first)
        for entry in entries
        if entry.get("class_name") != "InputLayer"
    )
    _check_names([layer.name for layer in layers])
    name = str(config.get("name", model.get("name", "")))
    return Wired(name, kind, layers, calls, inputs, outputs, constants, config.get("trainable", True) is not False)


Wiring = tuple[tuple[Call, ...], tuple[tuple[str, Any], ...], tuple[tuple[str, Ref], ...], Mapping[str, Constants]]


def _sequential(entries: Sequence[Mapping[str, Any]], config: Mapping[str, Any], keras: int) -> Wiring:
    names = [name_of(entry) for entry in entries if entry.get("class_name") != "InputLayer"]
    calls = tuple(Call(name, ((i, 0),)) for i, name in enumerate(names))
    shape = _batch_shape(entries[0]) or config.get("build_input_shape")
    return calls, (("", shape),), (("", (len(calls), 0)),), {}


def _functional(entries: Sequence[Mapping[str, Any]], config: Mapping[str, Any], keras: int) -> Wiring:
    given, ends = [name for name, _, _ in _ends(config, "input_layers")], _ends(config, "output_layers")
    shapes = {name_of(entry): _batch_shape(entry) for entry in entries if entry.get("class_name") == "InputLayer"}
    called = calls_of(entries, given, ends, keras)
    inputs = tuple((name if len(given) > 1 else "", shapes.get(name)) for name in given)
    ended = Counter(name for name, _, _ in ends)
    labels = [name if ended[name] == 1 else f"{name}@{i}" for i, (name, _, _) in enumerate(ends)]
    outputs = tuple(zip(labels if len(ends) > 1 else [""], called.outputs, strict=True))
    return called.calls, inputs, outputs, called.constants


def _ends(config: Mapping[str, Any], key: str) -> list[Read]:
    found = reads_of(config.get(key))
    if not found:
        raise InputError(f"the model's description has {key} = {shortly(config.get(key))}; it must name layers.")
    return found


def _batch_shape(entry: Mapping[str, Any]) -> Any:
    """The shape of a batch that a layer's entry says it is called on; None if it does not."""
    config, built = entry.get("config"), entry.get("build_config")
    if is_model(entry):
        body = {"layers": config} if isinstance(config, list) else fields(config)
        inner = body.get("layers")
        first = _batch_shape(fields(inner[0])) if isinstance(inner, list) and inner else None
        return first or body.get("build_input_shape")
    places = [fields(config).get("batch_shape"), fields(config).get("batch_input_shape")]
    places.append(built.get("input_shape") if isinstance(built, Mapping) else None)
    return next((place for place in places if isinstance(place, list)), None)


def _entries(entries: Any) -> list[Mapping[str, Any]]:
    if not isinstance(entries, list) or not entries:
        raise InputError("the model's description lists no layers.")
    if len(entries) > MOST_LAYERS:
        raise InputError(f"the model's description lists {len(entries)} layers; at most {MOST_LAYERS} can be read.")
    return [fields(entry) for entry in entries]


def _check_names(names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else None
    if twice:
        raise InputError(f"two layers have the name {min(twice)!r}; each must have its own.")
