"""Which layers a method looks at: those named, or by default the one that best shows where."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.attribution.tokens import token_grid
from cnnviz.errors import InputError, unknown
from cnnviz.graph import Graph
from cnnviz.graph.linearity import Part, between, is_piecewise_linear, parts_between, unlike
from cnnviz.probe import as_names
from cnnviz.probe.trace import Trace, kind_of, trace
from cnnviz.types import Array, Image, LayerNames, Score, Variables

NONLINEAR = {"relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "tanh", "sigmoid", "logistic"}
NONLINEAR |= {"celu", "softplus", "mish", "hard_swish", "hard_silu", "max"}
Layers = str | tuple[str, ...] | None


class Place(NamedTuple):
    """A layer that a method may look at: its name, its shape for one image, and what made the value."""

    name: str
    shape: tuple[int, ...]
    nonlinear: bool
    convolution: bool
    leads: bool = True  # whether the logits depend on it
    bends: tuple[str, ...] = ()  # the primitives between it and the logits that are not piecewise linear
    tokens: bool = False  # whether it holds one row per token, which can be laid out as a map

    @property
    def spatial(self) -> bool:
        return len(self.shape) == 3 and self.shape[0] * self.shape[1] > 1


def places(model: Any, variables: Variables, image_shape: Sequence[int], call: Mapping[str, Any]) -> list[Place]:
    """The model's layers in order of execution."""
    return _places(trace(model, variables, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), call))


@lru_cache(maxsize=64)
def _places(traced: Trace) -> list[Place]:
    found = []
    for name, value in traced.values.items():
        shape = tuple(n for axis, n in enumerate(value.shape) if axis != traced.axes[name])
        nonlinear = kind_of(traced.graph, value) in NONLINEAR
        parts = between(traced.graph, value, traced.logits)
        leads, bends = bool(parts) or value is traced.logits, unlike(parts, is_piecewise_linear)
        tokens = len(shape) == 2 and token_grid(shape[0], traced.image.shape[1:]) is not None
        found.append(Place(name, shape, nonlinear, "conv" in traced.kinds[name].lower(), leads, bends, tokens))
    return found


def choose(asked: LayerNames, places: Sequence[Place], *, spatial: bool = True) -> tuple[str, ...]:
    """The names of the layers asked for, in order of execution; "all" are those with a spatial extent.

    None is the default layer: of those the logits depend on, the last with a spatial extent after a nonlinearity
    (`relu2`), else the last convolution's output, else the last with a spatial extent, else the last of tokens. Raises
    InputError if a name is unknown, or with `spatial` if a layer has no spatial extent and holds no tokens.
    """
    fit = [place for place in places if place.spatial or place.tokens or not spatial]
    if asked is None:
        return (usual(places),)
    if asked == "all":
        return tuple(place.name for place in places if place.spatial) or (usual(places),)
    names = as_names(asked) or ()
    known = {place.name: place for place in places}
    listed = ", ".join(place.name for place in fit) or "none"
    for name in names:
        if name not in known:
            raise unknown("layer", name, known)
        if known[name] not in fit:
            shape = known[name].shape
            raise InputError(
                f"The layer {name!r} has no spatial extent, its shape is {shape}; layers with one: {listed}."
            )
    if not names:
        raise InputError(f"This method needs at least one layer; layers was (). Layers to choose from: {listed}.")
    return tuple(place.name for place in places if place.name in names)


def usual(places: Sequence[Place]) -> str:
    """The layer that a method looks at by default."""
    maps = [place for place in places if place.spatial and place.leads]
    tokens = [place for place in places if place.tokens and place.leads]
    for fit in ([p for p in maps if p.nonlinear], [p for p in maps if p.convolution], maps, tokens):
        if fit:
            return fit[-1].name
    raise InputError("No layer of this model has a spatial extent; this method needs one that does.")


def after(score: Score, image: Image, layers: Mapping[str, Array]) -> list[Part]:
    """The nodes between offsets at the layers and the score; `layers` are the layers' activations by name."""
    offsets = {name: jnp.zeros(values.shape, values.dtype) for name, values in layers.items()}
    function: Callable = lambda *leaves: score(image, dict(zip(sorted(offsets), leaves, strict=True)))[0]
    graph, _ = Graph.of(function, *jax.tree.leaves(offsets))
    return list(parts_between(graph, set(graph.inputs), graph.outputs[0]))
