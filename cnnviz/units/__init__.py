"""What each unit of a network responds to over a data set, and what the network loses without it.

A unit is a channel of a layer. Every function is pure and takes a model, its variables, and images: in memory, uint8 if
`prepare` says how they become floats.
"""

from cnnviz.units.ablation import Ablation, ablation
from cnnviz.units.connections import Connections, Edges, connections
from cnnviz.units.curve import AblationCurve, ablation_curve
from cnnviz.units.pairs import Pairs, pairs
from cnnviz.units.probes import LinearProbe, linear_probes

__all__ = [
    "Ablation",
    "AblationCurve",
    "Connections",
    "Edges",
    "LinearProbe",
    "Pairs",
    "ablation",
    "ablation_curve",
    "connections",
    "linear_probes",
    "pairs",
]
