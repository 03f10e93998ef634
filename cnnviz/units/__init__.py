"""What each unit of a network responds to over a data set, and what the network loses without it.

A unit is a channel of a layer, an index of its last axis. Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz.units.both import Pairs as Pairs
    from cnnviz.units.both import pairs as pairs
    from cnnviz.units.channels import statistics as statistics
    from cnnviz.units.codes import Embedding as Embedding
    from cnnviz.units.codes import embedding as embedding
    from cnnviz.units.curve import AblationCurve as AblationCurve
    from cnnviz.units.curve import ablation_curve as ablation_curve
    from cnnviz.units.edges import Connections as Connections
    from cnnviz.units.edges import Edges as Edges
    from cnnviz.units.edges import connections as connections
    from cnnviz.units.probes import LinearProbe as LinearProbe
    from cnnviz.units.probes import linear_probes as linear_probes
    from cnnviz.units.ranked import top_k as top_k
    from cnnviz.units.seen import Patches as Patches
    from cnnviz.units.seen import patches as patches
    from cnnviz.units.summary import LayerStatistics as LayerStatistics
    from cnnviz.units.summary import Top as Top
    from cnnviz.units.without import Ablation as Ablation
    from cnnviz.units.without import ablation as ablation

_HOMES = {
    "Ablation": "without",
    "AblationCurve": "curve",
    "Connections": "edges",
    "Edges": "edges",
    "Embedding": "codes",
    "LinearProbe": "probes",
    "Pairs": "both",
    "Patches": "seen",
    "ablation": "without",
    "ablation_curve": "curve",
    "connections": "edges",
    "embedding": "codes",
    "linear_probes": "probes",
    "pairs": "both",
    "patches": "seen",
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
