"""Objects of JSON whose names are there once each, which the json module does not check."""

from collections import Counter
from reprlib import repr as shortened
from typing import Any


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The names and values of a JSON object as a dict; raises ValueError if a name comes twice."""
    if len(found := dict(pairs)) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"one object has {shortened(twice)} twice")
    return found
