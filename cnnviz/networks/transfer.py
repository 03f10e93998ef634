"""The weights of one network as the beginning of another that may tell other classes apart."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax

from cnnviz.interop.weights.tree import Tree, flat
from cnnviz.networks.pytorch import initial_shapes
from cnnviz.types import Variables

Path = tuple[str, ...]


def classifier(make: Callable[[int], Any], classes: int, image_shape: Sequence[int]) -> dict[Path, int]:
    """The axis of the classes in each variable that has one, by path; `make(n)` is the model for n classes."""
    one, more = (_shapes(initial_shapes(make(count), image_shape)) for count in (classes, classes + 1))
    both = (
        (path, zip(shape, more[path], strict=True)) for path, shape in one.items() if shape != more.get(path, shape)
    )
    return {path: next(axis for axis, (a, b) in enumerate(pairs) if a != b) for path, pairs in both}


def count_in(tree: Tree, axes: Mapping[Path, int]) -> int | None:
    """How many classes the weights in a tree tell apart, by the variables of `classifier`; None if it has none."""
    for path, array in flat(tree).items():
        for place, axis in axes.items():
            end = place[1:]  # without its collection, which a file may leave out
            if end in (path[-len(end) :], path[-len(end) - 1 : -1]) and array.ndim > axis:
                return array.shape[axis]
    return None


def merged(drawn: Variables, given: Variables, redrawn: Collection[Path]) -> Variables:
    """The given variables, but those at the paths in `redrawn` as they were drawn."""
    return jax.tree_util.tree_map_with_path(
        lambda path, new, old: new if _parts(path) in redrawn else old, drawn, given
    )


def _shapes(tree: Any) -> dict[Path, tuple[int, ...]]:
    return {_parts(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _parts(path: Any) -> Path:
    return tuple(jax.tree_util.keystr((part,), simple=True) for part in path)
