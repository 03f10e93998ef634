"""A state dict of PyTorch's as the variables of a Flax model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cnnviz.errors import InputError
from cnnviz.interop.torch.arrays import as_flax, fitted
from cnnviz.interop.torch.layouts import Table, part_of
from cnnviz.interop.torch.pairing import Names, Shapes, State, by_names, by_order, by_table, check_table
from cnnviz.interop.torch.uses import Uses, uses_of
from cnnviz.interop.weights.tree import named_leaves
from cnnviz.types import Variables

COUNT = ".num_batches_tracked"  # BatchNorm's, which Flax does not have
SHOWN = 5
Call = Callable[[Any, Any], Any]


def convert(
    state: State,
    model: Any,
    variables: Variables,
    image_shape: Any,
    table: Table | None = None,
    call: Call | None = None,
) -> Variables:
    """The arrays of a state dict in the structure, the shapes and the dtypes of `variables`, whose values are not used.

    `table` says which array is which, as `table_of` does, which is asked if there is none: it maps names of modules or
    arrays in PyTorch to paths in Flax. Kernels are transposed, and what follows flattened maps is put in Flax's order.
    Of a checkpoint of more than one of cnnviz's models, such as with a loss, only the model's part is taken.
    `call(variables, images)` calls the model in evaluation mode; by default it is `model.apply`. Raises InputError
    unless every array of that part has a place and every variable has an array; it says how many fit.
    """
    state = state if table is not None else part_of(state, model)
    shapes, uses = named_leaves(variables), uses_of(call or model.apply, variables, image_shape)
    names, state = _names(state, model, shapes, uses, table), _without_counts(state)
    arrays, faults = [], []
    for number, (path, like) in enumerate(shapes.items()):
        try:
            arrays.append(_array(state, names.get(path), path, like, uses, number))
        except InputError as error:
            faults.append(str(error))
    used = set(names.values())
    faults += [f"{_shown(name, array)} has no place" for name, array in state.items() if name not in used]
    if faults:
        more = f"the first five of {len(faults)} that do not" if len(faults) > SHOWN else "those that do not"
        raise InputError(f"{len(arrays)} of {len(shapes)} arrays fit; {more}: {'; '.join(faults[:SHOWN])}.")
    return jax.tree.unflatten(jax.tree.structure(variables), arrays)


def table_of(
    state: State, model: Any, variables: Variables, image_shape: Any, call: Call | None = None
) -> dict[str, str]:
    """Which array of the state dict is which variable: its name in PyTorch to its path, for checking or editing.

    By the names that torchvision, timm and others use, if the model is one of cnnviz's; by equal names; or by order:
    modules whose arrays have equal kinds and shapes, in the order of the state dict and of their use in the model.
    """
    shapes, uses = named_leaves(variables), uses_of(call or model.apply, variables, image_shape)
    return {name: path for path, name in _names(part_of(state, model), model, shapes, uses, None).items()}


def read_table(path: str | Path) -> dict[str, str]:
    """The table in a JSON file, `{"features.0": "Conv_0", ...}`; raises InputError if it is not one."""
    try:
        table = json.loads(Path(path).read_text())
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read as a JSON object of names: {why}.") from error
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise InputError(f'{path} must be a JSON object of texts, as {{"features.0": "Conv_0"}}.')
    return table


def _without_counts(state: State) -> State:
    return {name: array for name, array in state.items() if not name.endswith(COUNT)}


def _names(state: State, model: Any, shapes: Shapes, uses: Uses, table: Table | None) -> Names:
    if table is not None:
        check_table(table, shapes)
        return by_table(table, shapes)
    state = _without_counts(state)
    return by_names(state, model, shapes) or by_order(state, shapes, uses)


def _array(state: State, name: str | None, path: str, like: Any, uses: Uses, number: int) -> np.ndarray:
    """The array for the variable at `path`, the leaf of this number.

    Raises InputError, with a clause that says why, if there is none.
    """
    if name is None or name not in state:
        raise InputError(f"{path} {like.shape} has no array{f' {name}' if name else ''}")
    array = as_flax(state[name], path.rpartition("/")[2], uses.order.get(number), number in uses.upsampling)
    try:
        return fitted(array, like.shape, like.dtype)
    except InputError as error:
        raise InputError(f"{_shown(name, state[name])} for {path} {error}") from error


def _shown(name: str, array: np.ndarray) -> str:
    return f"{name} {array.shape}"
