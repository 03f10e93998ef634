"""The architecture in a Keras file: JSON, parsed into a chain of layer descriptions with checked fields.

The JSON is only read as data. A description of something that holds code (a Lambda, a custom class) raises InputError
and is never resolved to a Python object.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop.keras.keras1 import in_terms_of_keras2

Pair = tuple[int, int]
LARGEST = 2**31 - 1
LONGEST = 16 * 2**20  # characters; the largest models in keras.applications have 2 MB
MOST_LAYERS = 2000  # each takes about two milliseconds
REQUIRED = object()


@dataclass(frozen=True)
class Described:
    """One layer as the file describes it; reading a field raises InputError if its value is not valid."""

    kind: str
    name: str
    config: Mapping[str, Any]
    keras: int  # the major version that wrote it

    def whole(self, key: str, default: Any = REQUIRED) -> int:
        """A positive integer field."""
        value = self._value(key, default)
        if not _is_whole(value):
            raise self.wrong(key, value, "a whole number from 1")
        return value

    def pair(self, key: str, default: Any = REQUIRED) -> Pair:
        """A field of two positive integers, also written as one integer."""
        value = self._value(key, default)
        pair = (value, value) if isinstance(value, int) else value
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(_is_whole, pair)):
            raise self.wrong(key, value, "a pair of whole numbers from 1")
        return pair[0], pair[1]

    def number(self, key: str, default: float) -> float:
        """A finite number field."""
        value = self._value(key, default)
        if not _is_number(value):
            raise self.wrong(key, value, "a number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """A boolean field."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """A field with one of these values."""
        value = self._value(key, default)
        if value not in choices:
            raise self.wrong(key, value, " or ".join(choices))
        return value

    def axis(self) -> int:
        """The field `axis`, also written as a list of one integer."""
        value = self._value("axis", -1)
        axis = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(axis, int):
            raise self.wrong("axis", value, "one axis")
        return axis

    def wrong(self, key: str, value: Any, right: str) -> InputError:
        """The error for a field whose value is not valid; `right` describes valid values."""
        return InputError(f"layer {self.name!r} ({self.kind}) has {key} = {shortly(value)}; it must be {right}.")

    def _value(self, key: str, default: Any) -> Any:
        value = self.config.get(key)
        if value is None and default is REQUIRED:
            raise self.wrong(key, None, "given")
        return default if value is None else value


def read_chain(config: str, keras: int) -> tuple[list[Described], tuple[int, ...]]:
    """The layers of a Sequential, or of a Functional model that is one chain, and the shape `(h, w, c)` of one image.

    Raises InputError if the description is damaged, of another kind of model, or has no fixed image shape.
    """
    model = parse(config, "the model's description")
    kind, body = model.get("class_name"), model.get("config")
    if kind == "Sequential":
        entries = body if isinstance(body, list) else _fields(body).get("layers")  # before Keras 2.2.3 a plain list
        nodes = _entries(entries)
    elif kind in ("Functional", "Model"):
        nodes = _linked(_entries(_fields(body).get("layers")), _fields(body))
    else:
        raise InputError(f"it is a {shortly(kind)}; a Sequential can be read, or a Functional that is one chain.")
    layers = [_described(node, keras) for node in nodes]
    first = [layer.kind for layer in layers if layer.kind != "InputLayer"][:1]
    shape = _input_shape(nodes, body if isinstance(body, Mapping) else {})
    return [layer for layer in layers if layer.kind != "InputLayer"], _image_shape(shape, first)


def parse(document: str, what: str) -> Mapping[str, Any]:
    """The JSON object in the document; raises InputError if it is too long or not an object."""
    if len(document) > LONGEST:
        raise InputError(f"{what} has {len(document)} characters; at most {LONGEST} can be read.")
    try:
        found = json.loads(document)
    except ValueError as error:
        raise InputError(f"{what} is not the JSON object that Keras writes ({error}).") from error
    return _fields(found)


def shortly(value: Any) -> str:
    """The value as text for a message, truncated to 60 characters."""
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def is_kerass_own(entry: Mapping[str, Any]) -> bool:
    """Whether an object's description names a class of Keras rather than a custom class.

    Before Keras 3 an entry has only the class's name, preceded by a package if the class was registered.
    """
    module, registered = entry.get("module"), entry.get("registered_name")
    package = str(module).split(".")[0] if module is not None else "keras"
    names = f"{entry.get('class_name')}{registered or ''}"
    return package in ("keras", "tf_keras", "tensorflow", "builtins") and ">" not in names


def _described(entry: Mapping[str, Any], keras: int) -> Described:
    config = _fields(entry.get("config"))
    kind, name = entry.get("class_name"), config.get("name", entry.get("name"))
    if not isinstance(kind, str) or not isinstance(name, str) or not name:
        raise InputError(f"the model's description has a layer with no class or no name: {shortly(entry)}.")
    if not is_kerass_own(entry):
        registered = entry.get("registered_name") or kind
        raise InputError(
            f"layer {name!r} is a {registered}, a class of its author's own, whose code is not in the file; "
            "only Keras's own layers can be read."
        )
    kind, config = in_terms_of_keras2(kind, config) if keras == 1 else (kind, config)
    return Described(kind, name, config, keras)


def _input_shape(nodes: Sequence[Mapping[str, Any]], model: Mapping[str, Any]) -> Any:
    """The batch shape in the file: the first layer's, or the one that the model was built with; None if missing."""
    first = nodes[0] if nodes else {}
    config = _fields(first.get("config"))
    built = first.get("build_config")
    places = [config.get("batch_shape"), config.get("batch_input_shape"), model.get("build_input_shape")]
    places.append(built.get("input_shape") if isinstance(built, Mapping) else None)
    return next((place for place in places if isinstance(place, list)), None)


def _image_shape(shape: Any, first: Sequence[str]) -> tuple[int, ...]:
    """`(h, w, c)` from a batch's shape, which may have no channel axis if the first layer is Flatten."""
    sides = shape[1:] if isinstance(shape, list) else []
    if len(sides) == 2 and first == ["Flatten"]:
        sides = [*sides, 1]
    if len(sides) != 3 or not all(map(_is_whole, sides)):
        raise InputError(
            f"the input shape is {shortly(shape) if shape else 'not in the file'}; "
            "a model can be read whose input is known as [batch, height, width, channels]."
        )
    return tuple(sides)


def _linked(entries: list[Mapping[str, Any]], model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers of a Functional model in order; raises InputError unless each is fed by the one before only."""
    for before, entry in zip([None, *entries], entries, strict=False):
        expected = [] if before is None else [_name(before)]
        if (found := _inputs(entry.get("inbound_nodes"))) != expected:
            raise InputError(
                f"the model is not one chain: layer {_name(entry)!r} is fed by {', '.join(found) or 'nothing'}; "
                "a Functional model can be read where each layer is fed by the one before it."
            )
        if _in_training(entry.get("inbound_nodes")):
            raise InputError(
                f"layer {_name(entry)!r} is called with training=True; a model is read in evaluation mode."
            )
    if _inputs(model.get("output_layers")) != [_name(entries[-1])]:
        raise InputError(f"the model's output is not its last layer, {_name(entries[-1])!r}; it must be.")
    return entries


def _inputs(nodes: Any) -> list[str]:
    """The names of the layers that feed a layer, one per tensor, over all its calls.

    Keras 3 describes tensors by their history, `[layer, call, tensor]`; earlier versions list `[layer, call, tensor,
    {options}]`.
    """
    if isinstance(nodes, Mapping):
        history = nodes.get("keras_history")
        return [str(history[0])] if isinstance(history, list) and history else _inputs(list(nodes.values()))
    if not isinstance(nodes, list):
        return []
    if len(nodes) in (3, 4) and isinstance(nodes[0], str):
        return [nodes[0]]
    return [name for node in nodes for name in _inputs(node)]


def _in_training(nodes: Any) -> bool:
    """Whether any call in the description of a layer's calls has `training=True`."""
    if isinstance(nodes, Mapping):
        return bool(nodes.get("training")) or _in_training(list(nodes.values()))
    return isinstance(nodes, list) and any(map(_in_training, nodes))


def _name(entry: Mapping[str, Any]) -> str:
    return str(_fields(entry.get("config")).get("name", entry.get("name")))


def _entries(entries: Any) -> list[Mapping[str, Any]]:
    if not isinstance(entries, list) or not entries:
        raise InputError("the model's description lists no layers.")
    if len(entries) > MOST_LAYERS:
        raise InputError(f"the model's description lists {len(entries)} layers; at most {MOST_LAYERS} can be read.")
    return [_fields(entry) for entry in entries]


def _fields(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"the model's description has {shortly(value)} where an object is expected.")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30  # neither NaN nor Inf
