"""What each unit of a network responds to over a data set: folds, and the functions that read them.

A unit is a channel of a layer, an index of its last axis. Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz.units.channels import statistics as statistics
    from cnnviz.units.ranked import top_k as top_k
    from cnnviz.units.summary import LayerStatistics as LayerStatistics
    from cnnviz.units.summary import Top as Top

_HOMES = {
    "LayerStatistics": "summary",
    "Top": "summary",
    "statistics": "channels",
    "top_k": "ranked",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cnnviz.units.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
