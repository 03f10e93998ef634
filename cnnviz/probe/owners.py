"""In which layer the parameters show that are of a module without a layer of its own: a loop's, a bare array's."""

from collections.abc import Collection
from typing import NamedTuple

import jax
import numpy as np

from cnnviz.probe.trace import Trace
from cnnviz.types import Variables


class Owned(NamedTuple):
    """How many parameters one array has, its module's path, and the first layer that depends on it, if any."""

    size: int
    module: str
    layer: str | None


def owned(traced: Trace, variables: Variables, modules: Collection[str]) -> list[Owned]:
    """The arrays of parameters of these modules."""
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    inputs = dict(zip(traced.graph.inputs, (_keys(path) for path, _ in leaves), strict=False))
    sizes = {_keys(path): int(np.size(leaf)) for path, leaf in leaves}
    wanted = {value: path for value, path in inputs.items() if path[0] == "params" and _module(path) in modules}
    layers: dict[tuple[str, ...], str] = {}
    names = {value: name for name, value in reversed(list(traced.values.items()))}
    pending = {value: {path} for value, path in wanted.items()}
    for node in traced.graph.nodes:
        read = set().union(*(pending.get(value, ()) for value in node.inputs)) - layers.keys()
        for value in node.outputs if read else ():
            if value in names:
                layers |= dict.fromkeys(read, names[value])
            pending[value] = read
    return [Owned(sizes[path], _module(path), layers.get(path)) for path in wanted.values()]


def _keys(path: tuple) -> tuple[str, ...]:
    return tuple(str(getattr(key, "key", getattr(key, "name", key))) for key in path)


def _module(path: tuple[str, ...]) -> str:
    return "/".join(path[1:-1])
