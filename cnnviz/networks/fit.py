"""Weights from a file put in the places that a model has for them, with every difference named."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.interop.torch.read import StateDict
from cnnviz.interop.weights.tree import Tree, flat, type_fault
from cnnviz.networks.pytorch import fit_pytorch, initial_shapes
from cnnviz.types import Variables

Path = tuple[str, ...]
COLLECTIONS = ("params", "batch_stats")
WRAPPERS = ("value", "raw_value")  # the last part of each name in a saved nnx.State
SHOWN = 5  # differences in an error


def fit(
    tree: Tree,
    model: Any,
    image_shape: Any,
    *,
    source: str,
    name: str,
    table: Mapping[str, str] | None = None,
) -> Variables:
    """The model's variables with the values of a tree, in the model's types.

    `image_shape` is (h, w, c), or a dict of the shapes of several inputs.

    The tree may be variables, their parameters alone, a TrainState or the State of an NNX module, also inside of other
    dicts; or a StateDict of PyTorch's, of which `table` may say which array is which (`interop.torch.convert`). Raises
    InputError that counts the arrays that fit and names the first five that do not.
    """
    shapes = initial_shapes(model, image_shape)
    if isinstance(tree, StateDict):
        return fit_pytorch(tree, model, shapes, image_shape, f"{source} does not fit {name}", table)
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    wanted = {tuple(str(_part(key)) for key in path): leaf for path, leaf in leaves}
    try:
        given = _unwrapped(flat(tree), wanted)
    except ValueError as error:
        raise InputError(f"{source} cannot be weights: {error}.") from error
    found = _matched(given, wanted)
    faults = [*_faults({path: given.get(place) for path, place in found.items()}, wanted), *_others(given, found)]
    if faults:
        fitting = [path for path, leaf in wanted.items() if _fault(given.get(found[path]), leaf) is None]
        named = ", ".join([*map("/".join, fitting[:SHOWN]), *(["..."] if len(fitting) > SHOWN else [])])
        shown = f"the first {SHOWN} that do not" if len(faults) > SHOWN else "those that do not"
        raise InputError(
            f"{source} does not fit {name}: {len(fitting)} of {len(wanted)} arrays fit; {shown}: "
            f"{'; '.join(faults[:SHOWN])}{f'; those that fit: {named}' if named else ''}."
        )
    values = [jnp.asarray(given[found[path]].astype(leaf.dtype)) for path, leaf in wanted.items()]
    return jax.tree.unflatten(structure, values)


def _part(key: Any) -> Any:
    """The name, number or attribute that one step of a path goes by."""
    return next(getattr(key, kind) for kind in ("key", "idx", "name") if hasattr(key, kind))


def _unwrapped(given: Mapping[Path, Any], wanted: Mapping[Path, Any]) -> dict[Path, Any]:
    """The arrays by path, without the last part that a saved nnx.State adds to each."""
    wraps = {path[-1] for path in given} & set(WRAPPERS) - {path[-1] for path in wanted}
    return {path[:-1] if path[-1] in wraps else path: array for path, array in given.items()}


def _matched(given: Mapping[Path, Any], wanted: Mapping[Path, Any]) -> dict[Path, Path]:
    """Where each wanted array is among the given ones, or would be; below the prefix that has the most of them."""
    names = [path[1:] for path in [*wanted][:3]]  # enough to find the prefixes that there are
    ends = {path[: len(path) - len(name)] for name in names for path in given if path[len(path) - len(name) :] == name}
    prefixes = {end[:-1] if end[-1:] and end[-1] in COLLECTIONS else end for end in ends} | {()}
    places = [
        {path: _place(given, prefix, path) for path in wanted} for prefix in sorted(prefixes, key=lambda p: (len(p), p))
    ]
    return max(places, key=lambda found: sum(place in given for place in found.values()))  # the first of equal ones


def _place(given: Mapping[Path, Any], prefix: Path, path: Path) -> Path:
    """A wanted array's path below the prefix, with or without its collection; statistics may lie beside the prefix."""
    likely = (*prefix, *path)
    return next((place for place in (likely, (*prefix, *path[1:]), path) if place in given), likely)


def _faults(found: Mapping[Path, Any], wanted: Mapping[Path, Any]) -> list[str]:
    named = [(path, _fault(found[path], leaf)) for path, leaf in wanted.items()]
    return [f"{'/'.join(path)} {fault}" for path, fault in named if fault]


def _fault(array: Any, wanted: Any) -> str | None:
    """What is wrong with the array for this place; None if its shape and its numbers fit."""
    if array is None:
        return "is missing"
    if array.shape != wanted.shape:
        return f"has the shape {tuple(array.shape)}, not {tuple(wanted.shape)}"
    return type_fault(array, wanted.dtype)


def _others(given: Mapping[Path, Any], found: Mapping[Path, Path]) -> list[str]:
    """A phrase for each given array of floats that no place of the model takes, among those that lie beside its own."""
    used = {place for place in found.values() if place in given}
    homes = {place[: len(place) - len(path)] for path, place in found.items() if place[-len(path) :] == path}
    bare = {place[: len(place) - len(path) + 1] for path, place in found.items() if place[-len(path) :] != path}
    folders = {(*home, name) for home in homes for name in COLLECTIONS} | bare
    near = [path for path in given if path not in used and any(path[: len(home)] == home for home in folders)]
    return [f"{'/'.join(path)} is not in the model" for path in near if jnp.issubdtype(given[path].dtype, jnp.inexact)]
