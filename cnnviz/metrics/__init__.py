"""Is a map true? METRICS by name, and `measure`, `build` and `explainer`, imported when they are first used.

`measure("deletion", model, variables, images, targets, maps)` is one number per image. Each metric is a frozen
dataclass whose fields are the choices that its definition leaves open, with the values of its paper.

There are four kinds (`metrics.shapes`), by what they are called with: metrics of a map, `(score, image, map, key) ->
number` for one image; metrics of a method, which ask for more maps (of other images, weights or classes); axioms, which
are either; and metrics of members, which compare the maps of networks that differ only in their training.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnviz.metrics.metrics import METRICS as METRICS

if TYPE_CHECKING:
    from cnnviz.metrics.explainer import Explainer as Explainer
    from cnnviz.metrics.measuring import build as build
    from cnnviz.metrics.measuring import measure as measure

_HOMES = {"measure": "measuring", "build": "measuring", "Explainer": "explainer"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cnnviz.metrics.{_HOMES[name]}"), name)
