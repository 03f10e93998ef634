"""A registry is a dict literal from a name to a dotted path; what it names is imported when it is asked for."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from cnnviz.errors import unknown


def resolve(registry: Mapping[str, str], name: str, kind: str) -> Any:
    """The module or `module:attribute` that `registry` has under `name`.

    An unknown name is an InputError that suggests the nearest.
    """
    if not isinstance(name, str) or name not in registry:
        raise unknown(kind, str(name), registry)
    return resolve_name(registry[name])
