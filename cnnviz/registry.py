"""A registry is a dict from names to dotted paths, imported when first used, or to the objects themselves."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from cnnviz.errors import unknown


def resolve(registry: Mapping[str, Any], name: str, kind: str) -> Any:
    """The object that `registry` has under `name`, itself or as a path `module:attribute`.

    Raises InputError, which suggests the closest name, if `name` is unknown.
    """
    if not isinstance(name, str) or name not in registry:
        raise unknown(kind, str(name), registry)
    found = registry[name]
    return resolve_name(found) if isinstance(found, str) else found
