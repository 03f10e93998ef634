"""A graph of primitives as calls of Keras's layers.

Convolutions and matrix products become layers with their kernels and biases, the scalings after them
BatchNormalization, means and maxima pooling. What no layer does is an operation of `keras.ops`, which files hold too.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.graph import Graph, Value
from cnnviz.graph.graph import Node
from cnnviz.graph.operations import called
from cnnviz.graph.primitives import IDENTITIES
from cnnviz.graph.spelled import function_name
from cnnviz.probe.naming import place_of

Tensor = Any  # Keras's symbolic value, with an axis for the batch in front
PASSES = IDENTITIES | {"stop_gradient", "copy_p", "optimization_barrier"}


class Affine(NamedTuple):
    """y = x * scale + offset, each of one number per channel."""

    scale: Float[np.ndarray, " c"]
    offset: Float[np.ndarray, " c"]

    def after(self, first: "Affine") -> "Affine":
        """This one applied to what `first` gives."""
        return Affine(self.scale * first.scale, self.scale * first.offset + self.offset)

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing, to the rounding of a product with an inverse."""
        return bool(np.allclose(self.scale, 1, rtol=1e-6, atol=0) and not self.offset.any())


Step = tuple[Node, Affine]  # a node that scales, and how


class Conversion:
    """The layers made so far, whose weights are set when the model is complete."""

    def __init__(self, keras: Any, what: str, names: Mapping[Value, str], rules: Mapping[str, Callable[..., None]]):
        self.keras, self.what, self.names, self.rules = keras, what, names, rules
        self.taken: Counter[str] = Counter()
        self.weights: list[tuple[Any, list[np.ndarray]]] = []

    def run(self, graph: Graph, given: Sequence[Any], wanted: Sequence[Value], name: str = "") -> list[Any]:
        """The wanted values of a graph, for inputs that are Keras's tensors or arrays."""
        return Reading(self, graph, given, wanted, name).outputs(wanted)

    def layer(self, made: Any, *inputs: Tensor, weights: Sequence[np.ndarray] = ()) -> Tensor:
        """The output of a new layer, which gets these weights later."""
        if weights:
            self.weights.append((made, list(weights)))
        return made(inputs[0] if len(inputs) == 1 else list(inputs))

    def fill(self) -> None:
        """Gives each layer its weights."""
        for layer, weights in self.weights:
            layer.set_weights(weights)

    def unique(self, name: str) -> str:
        """A name that a layer of Keras may have and that no other has."""
        plain = re.sub(r"[^A-Za-z0-9_.]+", "_", name).strip("_") or "layer"
        self.taken[plain] += 1
        return plain if self.taken[plain] == 1 else self.unique(f"{plain}_{self.taken[plain] - 1}")


class Reading:
    """One graph being converted: the tensors of its values, and the constants that they meet."""

    def __init__(self, whole: Conversion, graph: Graph, given: Sequence[Any], wanted: Sequence[Value], name: str):
        self.whole, self.keras, self.graph, self.name = whole, whole.keras, graph, name
        is_tensor = [isinstance(one, self.keras.KerasTensor) for one in given]
        self.tensors = {value: one for value, one, is_one in zip(graph.inputs, given, is_tensor, strict=True) if is_one}
        self.depends = set(self.tensors)
        self.nodes = graph.needed(wanted)
        for node in self.nodes:
            if self.depends.intersection(node.inputs):
                self.depends.update(node.outputs)
        self.nodes = [node for node in self.nodes if self.depends.intersection(node.inputs)]
        self.readers = Counter([value for node in self.nodes for value in node.inputs] + list(wanted))
        self.next = {value: node for node in self.nodes for value in node.inputs}
        both = zip(graph.inputs, given, strict=True)
        self.arrays = [np.zeros(each.shape, each.dtype) if each in self.tensors else one for each, one in both]
        self.constants = self._constants([*(value for node in self.nodes for value in node.inputs), *wanted])
        self.done: set[Node] = set()

    def _constants(self, values: Sequence[Value]) -> dict[Value, np.ndarray]:
        wanted = list(dict.fromkeys(value for value in values if value not in self.depends))
        found = self.graph.evaluate(self.arrays, wanted)
        return {value: np.asarray(array) for value, array in zip(wanted, found, strict=True)}

    def outputs(self, wanted: Sequence[Value]) -> list[Any]:
        """The values, converted node by node."""
        for node in self.nodes:
            if node in self.done:
                continue
            rule = self.whole.rules.get(node.name)
            if node.name in PASSES:
                self.tensors[node.outputs[0]] = self.tensors[node.inputs[0]]
            elif node.body is not None:
                self._inside(node)
            elif rule is None:
                raise self.cannot(node)
            else:
                rule(self, node)
        return [self.tensors[value] if value in self.depends else self.constants[value] for value in wanted]

    def _inside(self, node: Node) -> None:
        """A function with a derivative of its own, which is converted as what it computes."""
        body, given = node.body, [self.tensors.get(value, self.constants.get(value)) for value in node.inputs]
        assert body is not None
        found = self.whole.run(body, given, body.outputs, self.named(node, function_name(node)))
        self.tensors.update(zip(node.outputs, found, strict=True))

    def cannot(self, node: Node, what: str = "") -> InputError:
        """The error for something that Keras has no layer for."""
        place = place_of(node.labels).path
        where = f" in {place}" if place else ""
        lacking = f"it computes {what or called(node.name)}{where}, for which there is no layer"
        return InputError(f"{self.whole.what} cannot be exported to Keras: {lacking}; stablehlo has everything.")

    def tensor(self, node: Node, place: int = 0) -> Tensor:
        """The tensor of an input, in its full shape; raises InputError for a constant."""
        value = node.inputs[place]
        if value not in self.tensors:
            raise self.cannot(node, f"{called(node.name)} of a constant")
        found = self.tensors[value]
        if tuple(found.shape[1:]) != tuple(value.shape[1:]):  # left to broadcasting so far
            found = found + self.keras.ops.zeros((1, *value.shape[1:]))
        return found

    def operand(self, node: Node, place: int) -> Any:
        """The tensor of an input or the constant there is, in a shape that broadcasts."""
        value = node.inputs[place]
        if value in self.tensors:
            return self.tensors[value]
        array = self.constants[value]
        if array.size and (array == array.flat[0]).all():
            return array.flat[0].item()
        return array[:1] if array.ndim and array.shape[0] == 2 else array

    def label(self, node: Node, kind: str) -> str:
        """The node's name, or where it is taken the name with a number."""
        return self.whole.unique(self.named(node, kind))

    def named(self, node: Node, kind: str) -> str:
        """The name of the node's value, or that of the function around it, or else `kind` in its module."""
        known = self.whole.names.get(node.outputs[0]) or self.name
        return known or "/".join(filter(None, (place_of(node.labels).path, kind)))

    def only_reader(self, value: Value) -> Node | None:
        """The one node that reads a value; None if there are several, or it is an output."""
        return self.next.get(value) if self.readers[value] == 1 else None

    def affine(self, node: Node, channels: int) -> Affine | None:
        """What a node does to the channels of its one input; None if it is not a scaling of each by constants."""
        own = [value in self.depends for value in node.inputs]
        one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        if node.name in PASSES or node.name == "neg":
            return Affine(-one if node.name == "neg" else one, zero)
        if node.name not in ("add", "add_any", "sub", "mul", "div") or sum(own) != 1 or (node.name == "div" and own[1]):
            return None
        constant = per_channel(self.constants[node.inputs[own.index(False)]], channels)
        if constant is None or (node.name == "div" and not constant.all()):
            return None
        sign = np.float32(-1 if node.name == "sub" and own[1] else 1)
        if node.name in ("mul", "div"):
            return Affine(constant if node.name == "mul" else 1 / constant, zero)
        return Affine(sign * one, constant * np.float32(-1 if node.name == "sub" and own[0] else 1))

    def chain(self, value: Value, most: int | None = None, labels: Sequence[str] | None = None) -> list[Step]:
        """The scalings that follow on a value, of nodes that each are the only reader; with these labels, if given."""
        found: list[Step] = []
        while value.shape and (node := self.only_reader(value)) is not None and (most is None or len(found) < most):
            step = self.affine(node, value.shape[-1])
            if step is None or node.outputs[0].shape != value.shape or labels not in (None, node.labels):
                break
            found.append((node, step))
            value = node.outputs[0]
        return found

    def bind(self, value: Value, tensor: Tensor, chain: Sequence[Step] = ()) -> None:
        """Notes the tensor of a value, or of what the nodes of a chain make of it."""
        self.done.update(node for node, _ in chain)
        self.tensors[chain[-1][0].outputs[0] if chain else value] = tensor


def per_channel(array: np.ndarray, channels: int) -> Float[np.ndarray, " c"] | None:
    """The numbers of the last axis, if they are the same along all others; None if not."""
    if array.ndim and array.shape[-1] not in (1, channels):
        return None
    if not array.size or not np.issubdtype(array.dtype, np.floating):
        return None
    array = np.atleast_1d(array)
    first = array.reshape(-1, array.shape[-1])[0]
    if not np.array_equal(np.broadcast_to(first, array.shape), array):
        return None
    return np.broadcast_to(first, (channels,)).astype(np.float32)
