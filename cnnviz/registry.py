"""A registry is a dict from names to dotted paths, imported when first used, or to the objects themselves."""

import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pkgutil import resolve_name
from typing import Any, NamedTuple

from cnnviz.errors import InputError, InputTypeError, unknown

_PARTS = re.compile(r"(?:\([^()]*\)|\[[^][]*\]|[^;,])+")  # between separators, which may stand within brackets
_CALL = re.compile(r"([\w+-]+)\(([^()]*=.*)\)")


def resolve(registry: Mapping[str, Any], name: str, kind: str) -> Any:
    """The object that `registry` has under `name`, itself or as a path `module:attribute`.

    Raises InputError, which suggests the closest name, if `name` is unknown.
    """
    if not isinstance(name, str) or name not in registry:
        raise unknown(kind, str(name), registry)
    found = registry[name]
    return resolve_name(found) if isinstance(found, str) else found


# what the value of an option may be that is a number, by the name of its type, and what that is called
NUMBERS: Mapping[str, tuple[type, str]] = {"int": (Integral, "a whole number"), "float": (Real, "a number")}


def check_number(title: str, option: str, value: Any, kind: str) -> None:
    """Raises InputTypeError, which names the entry and the option, if a value is no number of this type."""
    number, called = NUMBERS.get(kind, (object, ""))
    if not isinstance(value, number) or (called and isinstance(value, bool)):
        raise InputTypeError(f"The option {option} of {title} must be {called}; it was {value!r}.")


class Spelled(NamedTuple):
    """An entry as a person types it: its name, its options, and a label that tells it from the same with others."""

    label: str
    name: str
    options: dict[str, Any]


def spelled(text: str) -> list[Spelled]:
    """The entries of a text like "grad_cam;occlusion:window=5,infill=mean": names, each with its options after a colon.

    Entries are separated by semicolons or commas, options by commas. A value is a Python literal (5, 0.2, (3, 3), None,
    True) or else a text. Raises InputError for an option without a name before it, or a name given twice.
    """
    found: list[tuple[str, list[str]]] = []
    for part in filter(None, (part.strip() for part in _PARTS.findall(text))):
        if (call := _CALL.fullmatch(part)) is not None:
            raise InputError(f"{part!r} has its options in brackets; write {call[1]}:{call[2].replace(' ', '')}.")
        name, colon, option = part.partition(":") if ":" in part.partition("=")[0] else (part, "", "")
        if not colon and "=" in part:
            if not found:
                raise InputError(f"{part!r} is an option without a name before it; write NAME:{part}.")
            found[-1][1].append(part)
        else:
            found.append((name.strip(), [option] if option.strip() else []))
    entries = [_spelled(name, options) for name, options in found]
    labels = [entry.label for entry in entries]
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise InputError(f"{twice[0]} is given twice; name it once, or with other options.")
    if not entries:
        raise InputError(f"At least one name is needed; there is none in {text!r}.")
    return entries


def _spelled(name: str, given: Sequence[str]) -> Spelled:
    options = {}
    for option in given:
        key, equals, value = (part.strip() for part in option.partition("="))
        if not equals or not key:
            raise InputError(f"Options are given as NAME:option=value; {name}:{option} has no value.")
        options[key.replace("-", "_")] = _literal(value)
    label = ",".join(f"{key}={option}" for key, option in options.items())
    return Spelled(f"{name}:{label}" if label else name, name, options)


def _literal(value: str) -> Any:
    """A Python literal, or the text as it is; lists become tuples, which can be hashed."""
    try:
        found = literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return tuple(found) if isinstance(found, list) else found
