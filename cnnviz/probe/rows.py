"""Where the rows of images are in a model's values: their axis, found by tracing the model with one image more."""

from collections.abc import Callable
from typing import NamedTuple

from cnnviz.graph import Graph, Value
from cnnviz.graph.folded import Fold, folds_of, with_views
from cnnviz.probe.naming import Found

Few = Callable[[], tuple[Graph, list[Value], Found]]  # a graph for two images, its outputs and what was found in it


class Apart(NamedTuple):
    """A graph in which what was found has a row for each image, along its axis in `axes`.

    `folded` are views of values in which images share an axis with something else.
    """

    graph: Graph
    found: Found
    axes: dict[Value, int]
    folded: frozenset[Value]


def with_rows_apart(graph: Graph, found: Found, larger: Found, few: Few, count: int) -> Apart:
    """The graph with a view of each value in which images share an axis; what has no rows of images is not found.

    `larger` was found for one image more, and `few` is asked what is found for two if images share an axis. The last
    `count` inputs of a graph have one row per image.
    """
    pairs = {each.value: larger[key].value for key, each in found.items() if key in larger}
    axes = {value: axis for value, more in pairs.items() if (axis := image_axis(value.shape, more.shape)) is not None}
    shared = {v: more for v, more in pairs.items() if v not in axes and v.shape != more.shape and v in graph.made_by}
    folds = _folds({key: each for key, each in found.items() if each.value in shared}, few, count) if shared else {}
    views = {}
    for value, more in shared.items():
        if (fold := folds.get(value)) is not None and (view := fold.view(value.shape, more.shape)) is not None:
            views[value], axes[value] = view, fold.image_axis
    graph, made = with_views(graph, views) if views else (graph, {})
    axes = {made.get(value, value): axis for value, axis in axes.items()}
    viewed = {key: each._replace(value=made.get(each.value, each.value)) for key, each in found.items()}
    found = {key: each for key, each in viewed.items() if each.value in axes}
    squeezed = {value for value in made if len(value.shape) < len(shared[value].shape)}
    return Apart(graph, found, axes, frozenset(made[value] for value in made if value not in squeezed))


def _folds(found: Found, few: Few, count: int) -> dict[Value, Fold]:
    """How images lie in what was found, by the graph for two images."""
    graph, _, again = few()
    twins = {each.value: again[key].value for key, each in found.items() if key in again}
    folds = folds_of(graph, graph.inputs[-count:], list(twins.values()))
    return {value: folds[twin] for value, twin in twins.items() if twin in folds}


def image_axis(shape: tuple[int, ...], with_one_image_more: tuple[int, ...]) -> int | None:
    """The axis that grows with the number of images; None for a value without one row per image."""
    grown = [axis for axis, (n, m) in enumerate(zip(shape, with_one_image_more, strict=False)) if m == n + 1]
    return grown[0] if len(grown) == 1 and len(shape) == len(with_one_image_more) else None
