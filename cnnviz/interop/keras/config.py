"""The architecture in a Keras file: JSON, of which every object is checked to describe one of Keras's own classes.

The JSON is only read as data. A description of something that holds code (a Lambda, a custom class) raises InputError
and is never resolved to a Python object.
"""

import json
from collections.abc import Mapping
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop.keras.fields import Described, shortly
from cnnviz.interop.keras.keras1 import in_terms_of_keras2

LONGEST = 16 * 2**20  # characters; the largest models in keras.applications have 2 MB
MODELS = ("Sequential", "Functional", "Model")


def parse(document: str, what: str) -> Mapping[str, Any]:
    """The JSON object in the document; raises InputError if it is too long or not an object."""
    if len(document) > LONGEST:
        raise InputError(f"{what} has {len(document)} characters; at most {LONGEST} can be read.")
    try:
        found = json.loads(document)
    except ValueError as error:
        raise InputError(f"{what} is not the JSON object that Keras writes ({error}).") from error
    return fields(found)


def fields(value: Any) -> Mapping[str, Any]:
    """The value, which must be an object. Raises InputError for anything else."""
    if not isinstance(value, Mapping):
        raise InputError(f"the model's description has {shortly(value)} where an object is expected.")
    return value


def name_of(entry: Mapping[str, Any]) -> str:
    """The name of the layer that an entry describes."""
    return str(fields(entry.get("config")).get("name", entry.get("name")))


def described(entry: Mapping[str, Any], keras: int, first: bool = False) -> Described:
    """The layer that an entry describes; raises InputError if it has no class or no name, or is not Keras's own."""
    config = fields(entry.get("config"))
    kind, name = entry.get("class_name"), config.get("name", entry.get("name"))
    if not isinstance(kind, str) or not isinstance(name, str) or not name:
        raise InputError(f"the model's description has a layer with no class or no name: {shortly(entry)}.")
    if not is_kerass_own(entry):
        registered = entry.get("registered_name") or kind
        raise InputError(
            f"layer {name!r} is a {registered}, a class of its author's own, whose code is not in the file; "
            "build the model of Keras's own layers, or write it in Flax for --model net.py:Net."
        )
    kind, config = in_terms_of_keras2(kind, config) if keras == 1 else (kind, config)
    kind = f"ops.{kind}" if is_operation(entry) else kind
    return Described(kind, name, _without_ids(config), keras, first)


def _without_ids(config: Any) -> Any:
    """A part of a description without the numbers of Python objects, so that one layer described twice is equal."""
    if isinstance(config, Mapping):
        return {key: _without_ids(value) for key, value in config.items() if key != "shared_object_id"}
    return list(map(_without_ids, config)) if isinstance(config, list) else config


def is_kerass_own(entry: Mapping[str, Any]) -> bool:
    """Whether an object's description names a class of Keras rather than a custom class.

    Before Keras 3 an entry has only the class's name, preceded by a package if the class was registered.
    """
    module, registered = entry.get("module"), entry.get("registered_name")
    package = str(module).split(".")[0] if module is not None else "keras"
    names = f"{entry.get('class_name')}{registered or ''}"
    return package in ("keras", "tf_keras", "tensorflow", "builtins") and ">" not in names


def is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an entry describes an operation, such as `x + y`, rather than a layer.

    Keras 3 writes an operation without its module to an `.h5` file, where it may be called as a layer is
    (`Concatenate`); its options lack the `trainable` and the `dtype` that each of Keras's layers has.
    """
    module = str(entry.get("module"))
    if entry.get("class_name") == "TFOpLambda" or module.startswith(("keras.src.ops", "keras.ops")):
        return True
    config, nodes = entry.get("config"), entry.get("inbound_nodes")
    first = nodes[0] if isinstance(nodes, list) and nodes else None
    of_keras3 = isinstance(first, Mapping) and "args" in first
    bare = isinstance(config, Mapping) and not {"trainable", "dtype"} & set(config)
    return "module" not in entry and of_keras3 and bare and not is_model(entry)


def is_model(entry: Mapping[str, Any]) -> bool:
    """Whether an entry describes a model used as a layer."""
    return entry.get("class_name") in MODELS
