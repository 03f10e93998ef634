"""A network as JSON and bytes that the page's interpreter runs: its layers, its logits and the gradient of a score."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.precision import in_float32
from cnnviz.graph.primitives import RESHAPES
from cnnviz.networks import Net
from cnnviz.probe import network_of
from cnnviz.report.primitives import SUPPORTED, parameters
from cnnviz.report.weights import Blob, packed
from cnnviz.types import Variables

LONGEST = 64  # iterations of a scan that are written one after another
STAYS_ZERO = RESHAPES | {"add", "add_any", "convert_element_type", "copy"}


@dataclass(frozen=True)
class Program:
    """A network for the page: its graph as JSON values, and the names of the primitives that the page cannot compute.

    `graph` is None if the forward pass has one of those; its "gradient" is None if only the gradient has one. The
    positions in `leaves` say which variable each of the graph's weights is.
    """

    graph: dict[str, Any] | None
    missing: tuple[str, ...]
    leaves: tuple[int, ...] = ()

    def weights(self, variables: Variables, kind: str = "float32") -> Blob:
        """The weights of these variables in the order of the graph, as "float32", "float16" or "int8"."""
        leaves = jax.tree.leaves(variables)
        return packed([np.asarray(leaves[i]) for i in self.leaves], kind)


class Traced(NamedTuple):
    """The graph of a network with its gradient, and which value is what."""

    graph: Graph
    weights: tuple[Value, ...]
    image: Value
    direction: Value
    zeros: frozenset[Value]
    logits: Value
    layers: Mapping[str, Value]
    image_gradient: Value
    layer_gradients: Mapping[str, Value]


def program(net: Net) -> Program:
    """The network as the page runs it, for one image: the logits before any softmax, and all layers.

    Layers may have a first axis of length 1 for the image; "shapes" has those of one image. The gradient is that of
    `logits @ direction` with respect to the image and to each layer, where `direction` is an input too: a one-hot
    vector explains a class.
    """
    traced = trace(net)
    forward, gradient = _outputs(traced)
    missing = _missing(traced, forward)
    if missing:
        return Program(None, missing)
    missing = _missing(traced, [*forward, *gradient])
    found = _Writer(traced, [*forward, *([] if missing else gradient)])
    graph: dict[str, Any] = found.written()
    graph["gradient"] = None if missing else found.gradient()
    graph["shapes"] = {layer.name: list(layer.shape) for layer in net.layers if layer.name in traced.layers}
    graph |= {"ending": net.ending, "prepare": net.prepare.described()}
    return Program(graph, missing, found.leaves)


def trace(net: Net) -> Traced:
    """The graph of one image's logits and layers, and of the gradient; nothing is computed."""
    image = jax.ShapeDtypeStruct(net.image_shape, jnp.float32)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)), net.variables)
    network = in_float32(lambda variables, image, offsets: tuple(network_of(net.model, variables)(image, offsets)))
    logits, values = jax.eval_shape(network, shapes, image, {})
    offsets = {name: value for name, value in values.items() if jnp.issubdtype(value.dtype, jnp.floating)}

    def explained(variables: Any, image: Any, direction: Any, offsets: Any) -> Any:
        outputs = lambda image, offsets: network(variables, image, offsets)
        logits, pullback, layers = jax.vjp(outputs, image, offsets, has_aux=True)
        return logits, layers, *pullback(direction)

    graph, tree = Graph.of(explained, shapes, image, logits, offsets, opaque=lambda body: False, unroll=LONGEST)
    found: Any = jax.tree.unflatten(tree, graph.outputs)
    count = len(jax.tree.leaves(shapes))
    (image_input, direction), zeros = graph.inputs[count : count + 2], frozenset(graph.inputs[count + 2 :])
    logits, layers, of_image, of_layers = found
    names = [layer.name for layer in net.layers]  # in order of execution, which is lost in a dict
    ordered = lambda by_name: {name: by_name[name] for name in names if name in by_name}
    return Traced(
        graph,
        weights=graph.inputs[:count],
        image=image_input,
        direction=direction,
        zeros=zeros,
        logits=logits,
        layers={name: _whole(graph, value) for name, value in ordered(layers).items()},
        image_gradient=of_image,
        layer_gradients=ordered(of_layers),
    )


def _whole(graph: Graph, value: Value) -> Value:
    """A layer's value with its axis of one image, from which others are computed: a change of it changes those."""
    maker = graph.maker(value)
    is_cut = maker is not None and maker.name == "squeeze" and tuple(maker.params["dimensions"]) == (0,)
    return maker.inputs[0] if maker is not None and is_cut else value


def _outputs(traced: Traced) -> tuple[list[Value], list[Value]]:
    forward = [traced.logits, *traced.layers.values()]
    return forward, [traced.image_gradient, *traced.layer_gradients.values()]


def _missing(traced: Traced, wanted: Iterable[Value]) -> tuple[str, ...]:
    """The primitives on the way to the wanted values that the interpreter lacks."""
    names = (node.name for node in traced.graph.needed(wanted))
    return tuple(dict.fromkeys(name for name in names if name not in SUPPORTED))


class _Writer:
    """Numbers a graph's values, without the offsets, which are zero here, and what adds them."""

    def __init__(self, traced: Traced, wanted: Sequence[Value]):
        self.traced, self.ids, self.types = traced, {}, []
        self.constants: list[dict[str, Any]] = []
        self.same: dict[Value, Value] = {}
        zeros, nodes = set(traced.zeros), []
        for node in traced.graph.nodes:
            if node.name in STAYS_ZERO and node.inputs and zeros.issuperset(node.inputs):
                zeros.update(node.outputs)
            elif (other := self._unshifted(node, zeros)) is not None:
                self.same[node.outputs[0]] = other
            else:
                nodes.append(node)
        self.nodes = self._needed(nodes, wanted)
        read = dict.fromkeys(value for node in self.nodes for value in map(self.of, node.inputs))
        self.weights = [value for value in traced.weights if value in read]
        self.leaves = tuple(traced.weights.index(value) for value in self.weights)

    def of(self, value: Value) -> Value:
        """The value that this one equals."""
        while value in self.same:
            value = self.same[value]
        return value

    def _unshifted(self, node: Node, zeros: set[Value]) -> Value | None:
        """The other summand of a node that adds zeros."""
        if node.name not in ("add", "add_any") or not zeros.intersection(node.inputs):
            return None
        others = [value for value in node.inputs if value not in zeros]
        return others[0] if others and others[0].shape == node.outputs[0].shape else None

    def _needed(self, nodes: Sequence[Node], wanted: Sequence[Value]) -> list[Node]:
        live, kept = set(map(self.of, wanted)), []
        for node in reversed(nodes):
            if live.intersection(node.outputs):
                live.update(map(self.of, node.inputs))
                kept.append(node)
        return kept[::-1]

    def id(self, value: Value) -> int:
        """The number of a value; a constant is written when it is first asked for."""
        value = self.of(value)
        if value not in self.ids:
            self.ids[value] = len(self.types)
            self.types.append([list(value.shape), _type(value.dtype)])
            if value.constant is not None:
                self.constants.append({"id": self.ids[value], "values": _listed(value.constant)})
        return self.ids[value]

    def written(self) -> dict[str, Any]:
        """The graph as JSON values."""
        traced = self.traced
        inputs = {"image": self.id(traced.image), "direction": self.id(traced.direction)}
        weights = [self.id(value) for value in self.weights]
        nodes = [self.node(node) for node in self.nodes]
        layers = {name: self.id(value) for name, value in traced.layers.items()}
        known = {
            "inputs": inputs,
            "weights": weights,
            "nodes": nodes,
            "layers": layers,
            "logits": self.id(traced.logits),
        }
        return {**known, "constants": self.constants, "values": self.types}

    def node(self, node: Node) -> dict[str, Any]:
        inputs, outputs = ([self.id(value) for value in values] for values in (node.inputs, node.outputs))
        return {"op": node.name, "in": inputs, "out": outputs, "params": parameters(node)}

    def gradient(self) -> dict[str, Any]:
        layers = {name: self.id(value) for name, value in self.traced.layer_gradients.items()}
        return {"image": self.id(self.traced.image_gradient), "layers": layers}


def _type(dtype: Any) -> str:
    """What the interpreter keeps such values in."""
    if jnp.issubdtype(dtype, jnp.floating):
        return "float32"
    return "bool" if dtype == jnp.bool_ else "int32"


def _listed(constant: Any) -> list[Any]:
    """The values in a row; those that JSON has no number for are texts that JavaScript's Number reads."""
    texts = {np.inf: "Infinity", -np.inf: "-Infinity"}
    values = np.asarray(constant).astype(np.float64).ravel().tolist()
    return [texts.get(value, "NaN" if value != value else value) for value in values]
