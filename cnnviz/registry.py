"""A registry is a dict literal from names to dotted paths; an entry is imported when it is first used."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from cnnviz.errors import unknown


def resolve(registry: Mapping[str, str], name: str, kind: str) -> Any:
    """The object at the path `module:attribute` that `registry` has under `name`.

    Raises InputError, which suggests the closest name, if `name` is unknown.
    """
    if not isinstance(name, str) or name not in registry:
        raise unknown(kind, str(name), registry)
    return resolve_name(registry[name])
