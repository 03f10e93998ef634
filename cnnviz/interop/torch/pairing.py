"""Which array of a state dict is which variable of a Flax model: by a table, by known names, or by shape and order."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.errors import unknown
from cnnviz.interop.torch.arrays import LEAVES, as_flax, leaf_for, without_ones
from cnnviz.interop.torch.layouts import Table, layouts_of
from cnnviz.interop.torch.uses import Uses

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


def by_order(state: State, shapes: Shapes, uses: Uses) -> Names:
    """Modules with equal kinds and shapes of arrays, in the order of the state dict and of the variables' first use.

    Where there are more of a kind in one than in the other, the last ones have no names.
    """
    ours, theirs = defaultdict(dict), defaultdict(dict)
    for number, path in sorted(enumerate(shapes), key=lambda entry: uses.first.get(entry[0], -1)):
        module, _, leaf = path.partition("/")[2].rpartition("/")
        *sides, before, after = (1, 1, *shapes[path].shape)
        shape = (*sides, after, before) if number in uses.upsampling else (*sides, before, after)
        ours[module][leaf, without_ones(shape)] = path
    for name, array in state.items():
        leaf = leaf_for(name, array)
        theirs[name.rpartition(".")[0]][leaf, without_ones(as_flax(array, leaf).shape)] = name
    alike = defaultdict(list)
    for arrays in theirs.values():
        alike[frozenset(arrays)].append(arrays)
    names = {}
    for paths in ours.values():
        if found := alike[frozenset(paths)]:
            names |= {paths[kind]: name for kind, name in found.pop(0).items()}
    return names
