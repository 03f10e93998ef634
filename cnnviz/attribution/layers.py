"""Which layers a method looks at: those named, or by default the one that best shows where."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.graph import Graph, Value
from cnnviz.graph.flow import Flow
from cnnviz.graph.linearity import Part, between, is_piecewise_linear, parts_between, unlike
from cnnviz.graph.operations import LOOPS
from cnnviz.graph.receptive_field import side_axes
from cnnviz.probe.addressing import find
from cnnviz.probe.inputs import call_for, one_image
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.trace import Trace, trace
from cnnviz.types import Array, Image, LayerNames, Score, Variables

POOLING = {"max_pool", "avg_pool", "min_pool", "sum_pool"}
Layers = Any  # a LayerNames; once a method is fitted to a model, a tuple of names


class Place(NamedTuple):
    """A layer that a method may look at: its name, its shape for one image, and what made the value."""

    name: str
    shape: tuple[int, ...]
    nonlinear: bool
    convolution: bool
    leads: bool  # whether it depends on the input that is explained, and the logits on it
    narrow: bool  # whether all paths from that input to the logits go through it
    traced: Trace
    kind: str
    function: str
    aliases: tuple[str, ...]
    image: tuple[int, ...]  # the shape of one image, the input that is explained
    end: Value  # what is explained: the logits, or the layer of a unit
    placed: bool  # whether its axes may be the sides of the image, and are no windows or heads

    @property
    def bends(self) -> tuple[str, ...]:
        """The primitives between it and the logits that are not piecewise linear."""
        value = self.traced.layers[self.name].value
        return unlike(between(self.traced.graph, value, self.end), is_piecewise_linear)

    @property
    def spatial(self) -> bool:
        return self.placed and len(self.shape) == len(self.image) and math.prod(self.shape[:-1]) > 1

    @property
    def tokens(self) -> bool:
        """Whether it holds one row per token of a picture, which `tokens.as_map` lays out as a map."""
        return self.placed and (len(self.shape), len(self.image)) == (2, 3) and self.shape[0] > 1


def places(
    model: Any,
    variables: Variables,
    image_shape: Any,
    call: Mapping[str, Any],
    output: OutputName = None,
    *,
    shape: tuple[int, ...] | None = None,
    explained: int = 0,
    unit: str | None = None,
) -> list[Place]:
    """The model's layers in order of execution, with where they lead to: the logits, or the layer of a `unit`.

    `image_shape` is that of one image, or as in `probe.layers`; of several inputs, `explained` is the number of the one
    that is explained, and `shape` its shape.
    """
    image = one_image(image_shape)
    shape = image.shape[1:] if shape is None else shape
    return places_in(trace(model, variables, image, call_for(call, 1), output), shape, explained, unit)


@lru_cache(maxsize=64)
def places_in(traced: Trace, image: tuple[int, ...], explained: int, unit: str | None) -> list[Place]:
    """The layers of `places` in the model's graph; `image` is the shape of one image, the input that is explained."""
    end, graph = traced.logits if unit is None else traced.value(unit), traced.graph
    flow, found = Flow(graph, [list(traced.images.values())[explained]]), []
    leading = flow.depends & {end, *(value for node in graph.needed([end]) for value in node.inputs)}
    narrow, apart = _narrow(flow, end), _without_sides(traced, flow.sources[0])
    for address in traced.addresses:
        layer = traced.layers[address.name]
        shape = tuple(n for axis, n in enumerate(layer.value.shape) if axis != traced.axes[address.name])
        made = layer.bends, "conv" in layer.kind.lower(), layer.value in leading, layer.value in narrow
        placed = address.name not in apart
        found.append(Place(address.name, shape, *made, traced, *address[1:], image, end, placed))
    return found


def without_sides(model: Any, variables: Variables, image_shape: Any) -> set[str]:
    """The layers whose axes are no sides of the image, or of the first of several: windows, frames or rows of images.

    `image_shape` is that of one image, or as in `probe.layers`.
    """
    traced = trace(model, variables, one_image(image_shape), {})
    return _without_sides(traced, next(iter(traced.images.values())))


def _without_sides(traced: Trace, image: Value) -> set[str]:
    """The layers in which images share an axis, and whose axes are not the sides of this image and channels."""
    folded = [name for name, layer in traced.layers.items() if layer.value in traced.folded]
    sides = side_axes(traced.graph, image, range(1, len(image.shape) - 1)) if folded else {}
    return {name for name in folded if sides.get(traced.value(name)) != tuple(traced.sides(name))[:-1]}


def _narrow(flow: Flow, end: Value) -> set[Value]:
    """The values through which all paths from the source of the flow to what is explained go."""
    value, found = end, set()
    while value is not None:
        found.add(value)
        value = flow.parent.get(value)
    return found


def choose(asked: LayerNames, places: Sequence[Place], *, spatial: bool = True) -> tuple[str, ...]:
    """The names of the layers asked for (`probe.addressing`), in order of execution.

    "all" are those with a spatial extent that depend on the input explained and lead to what is explained. None is the
    default layer (`usual`). Raises InputError if there is no such layer, or with `spatial` if one that was asked for
    has no spatial extent and holds no tokens.
    """
    if asked is None:
        return (usual(places),)
    if asked == "all":
        return tuple(place.name for place in places if place.spatial and place.leads) or (usual(places),)
    names, fit = find(asked, places), [place for place in places if place.spatial or place.tokens or not spatial]
    listed = ", ".join(place.name for place in fit) or "none"
    for place in places:
        if place.name in names and place not in fit:
            raise InputError(
                f"The layer {place.name!r} has no spatial extent (its shape is {place.shape}); layers that have one: "
                f"{listed}.{_said(places)}"
            )
    if not names:
        raise InputError(f"This method needs at least one layer; none was given. Layers to choose from: {listed}.")
    return names


def usual(places: Sequence[Place]) -> str:
    """The layer that a method looks at by default: the last feature maps after a non-linearity.

    Where that is in one of several branches (within the last block of ConvNeXt, for example), it is the last feature
    maps after they have met. Without a non-linearity it is the last convolution's output, or else the last with a
    spatial extent, or the last of tokens. What a loop gives is taken only where it is asked for.
    """
    places = [place for place in places if place.kind not in LOOPS] or places
    maps = [place for place in places if place.spatial and place.leads]
    tokens = [place for place in places if place.tokens and place.leads]
    after = [place for place in maps if place.nonlinear]
    if after and not after[-1].narrow:
        later = [place for place in maps[maps.index(after[-1]) :] if place.narrow and place.function not in POOLING]
        after = later or after
    for fit in (after, [place for place in maps if place.convolution], maps, tokens):
        if fit:
            return fit[-1].name
    raise InputError(f"No layer of this model has a spatial extent; this method needs one that does.{_said(places)}")


def _said(places: Sequence[Place]) -> str:
    """What the graph hides, as a sentence: loops and branches on the way to the logits."""
    traced = places[0].traced if places else None
    nodes = traced.graph.needed([places[0].end]) if traced is not None else []
    hidden = dict.fromkeys(f"`{node.name}` (in {node.scope or 'the model'})" for node in nodes if node.name in LOOPS)
    given = [repr(place.name) for place in places if place.kind in LOOPS]
    instead = f"; what it gives is the layer {given[0]}" if given else ""
    return f" The layers inside {' and '.join(hidden)} cannot be looked at{instead}." if hidden else ""


def after(score: Score, image: Image, layers: Mapping[str, Array]) -> list[Part]:
    """The nodes between offsets at the layers and the score; `layers` are the layers' activations by name."""
    offsets = {name: jnp.zeros(values.shape, values.dtype) for name, values in layers.items()}
    function: Callable = lambda *leaves: score(image, dict(zip(sorted(offsets), leaves, strict=True)))[0]
    graph, _ = Graph.of(function, *jax.tree.leaves(offsets))
    return list(parts_between(graph, set(graph.inputs), graph.outputs[0]))
