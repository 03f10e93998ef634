"""Which array of a state dict is which variable of a Flax model: by a table, by known names, or by shape and order."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.errors import unknown
from cnnviz.interop.torch.arrays import LEAVES, as_flax, leaf_for, without_ones
from cnnviz.interop.torch.layouts import Table, layouts_of

State = Mapping[str, np.ndarray]
Shapes = Mapping[str, Any]  # an array or its shape, by path: "params/conv1/kernel"
Names = dict[str, str]  # the array's name in PyTorch, by path


def by_table(table: Table, shapes: Shapes) -> Names:
    """The names that a table of modules, or of single arrays, gives the variables; paths may lack the collection."""
    theirs, names = {path: name for name, path in table.items()}, {}
    for path in shapes:
        inner = path.partition("/")[2]
        module, _, leaf = inner.rpartition("/")
        if exact := theirs.get(path) or theirs.get(inner):
            names[path] = exact
        elif module in theirs and leaf in LEAVES:
            names[path] = f"{theirs[module]}.{LEAVES[leaf]}"
    return names


def check_table(table: Table, shapes: Shapes) -> None:
    """Raises InputError if the table has a path that the model does not have."""
    inner = [path.partition("/")[2] for path in shapes]
    known = dict.fromkeys([*(path.rpartition("/")[0] for path in inner), *inner, *shapes])
    for path in table.values():
        if path not in known:
            raise unknown("module or variable of the model", path, filter(None, known))


def by_names(state: State, model: Any, shapes: Shapes) -> Names | None:
    """The names of the layout that fits best of those known for the model's class, or of a model with names alike.

    None if no layout is known for its class and its names are others.
    """
    found = [by_table(layout(model), shapes) for layout in layouts_of(model)]
    if found:
        return max(found, key=lambda names: sum(name in state for name in names.values()))
    modules = {path.partition("/")[2].rpartition("/")[0] for path in shapes}
    alike = by_table({module.replace("/", "."): module for module in modules}, shapes)
    return alike if len(alike) == len(shapes) and set(alike.values()) <= set(state) else None


def by_order(state: State, shapes: Shapes, first: Mapping[int, int]) -> Names:
    """The arrays of each kind and shape in the order of the state dict, and of the variables' `first` use.

    Where a shape is not as often in one as in the other, as many as there are in both have names.
    """
    ours, theirs = defaultdict(list), defaultdict(list)
    for _, (path, like) in sorted(enumerate(shapes.items()), key=lambda entry: first.get(entry[0], -1)):
        ours[path.rpartition("/")[2], without_ones(like.shape)].append(path)
    for name, array in state.items():
        leaf = leaf_for(name, array)
        theirs[leaf, without_ones(as_flax(array, leaf).shape)].append(name)
    return {path: name for kind, paths in ours.items() for path, name in zip(paths, theirs[kind], strict=False)}
