"""The operations of a graph that a person would name: non-linearities, pooling, means, and where branches meet.

An operation may be one node, a call of a known function, or several nodes that spell a function out; a loop or branch
that is not unrolled is one. What is inside it is not an operation: the mean within a normalization, the erf within
GELU. Neither is a bias or a scale, which are parameters, nor anything else that is linear in one value but pooling and
a convolution with a constant kernel, which is a filter.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp

from cnnviz.graph.flow import Flow
from cnnviz.graph.graph import Graph, Node, Region, Value
from cnnviz.graph.linearity import is_affine
from cnnviz.graph.pointwise import POINTWISE, is_function_of_each_value, is_pointwise
from cnnviz.graph.primitives import CALLS, IDENTITIES, LAYERS, MOVES, RESHAPES
from cnnviz.graph.spelled import LAST, before, function_name, is_constant, is_light, spelled

FUNCTIONS = frozenset("softmax log_softmax logsumexp logmeanexp standardize glu var std norm resize clip".split())
MEETINGS = {"add": "add", "add_any": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow"}
MEETINGS |= {"max": "maximum", "min": "minimum", "select_n": "where", "concatenate": "concatenate", "stack": "stack"}
MEETINGS |= {"dot_general": "matmul"}
REDUCED = {"reduce_max": "max", "reduce_min": "min", "reduce_sum": "sum", "reduce_prod": "prod"}
REDUCED |= {"reduce_window_max": "max_pool", "reduce_window_min": "min_pool", "reduce_window_sum": "sum_pool"}
REDUCED |= dict.fromkeys(("sort", "top_k", "cumsum", "cumprod"), "")
MEANS = {"reduce_sum": "mean", "reduce_window_sum": "avg_pool"}
LOOPS = frozenset(("scan", "while", "cond"))
WEIGHTED = {"conv_general_dilated": "conv", "dot_general": "dense"}
RENAMED = {"hard_silu": "hard_swish", "swish": "silu", "standardize": "normalize"}  # functions
ELEMENTS = {"max": "maximum", "min": "minimum", "select_n": "where", "integer_pow": "pow", "logistic": "sigmoid"}
ARITHMETIC = frozenset("abs exp log log1p sqrt rsqrt square pow reciprocal maximum minimum clip sign where".split())


def called(primitive: str) -> str:
    """What a person calls JAX's primitive: max_pool for reduce_window_max; itself if it has no other name."""
    return (ELEMENTS | MEETINGS | WEIGHTED | REDUCED).get(primitive) or primitive


class Operation(NamedTuple):
    """A named operation: its kind ("relu", "max_pool", "add", ...), its value, and the labels around it.

    `bends` says whether it is a non-linearity, as those after a layer are.
    """

    kind: str
    value: Value
    labels: tuple[str, ...]
    bends: bool


Found = tuple[str, Value, set[Node], bool]  # kind, value, the nodes inside, and whether it is a non-linearity


def operations(graph: Graph, sources: Sequence[Value]) -> list[Operation]:
    """The operations on values that depend on `sources`, in order."""
    reading = _Reading(graph, sources)
    found, done = [], set()
    for node in reversed(graph.nodes):
        if node in done or not reading.is_candidate(node):
            continue
        if (operation := reading.operation(node)) is not None:
            kind, value, inside, bends = operation
            found.append(Operation(RENAMED.get(kind, kind), value, node.labels, bends))
            done |= inside
    return sorted(found, key=lambda operation: graph.made_by[operation.value])


class _Reading:
    """What is asked of each node of one graph."""

    def __init__(self, graph: Graph, sources: Sequence[Value]):
        self.graph, self.flow = graph, Flow(graph, sources)
        self.variable = graph.depending()
        self.read = {*self.flow.readers, *graph.outputs, *(mark.value for mark in graph.marks)}
        self.regions: dict[Node, Region] = {}
        for region in graph.regions:
            nodes = graph.nodes[region.first : region.end]
            if not any(node in self.regions for node in nodes) and self.is_function(region, nodes):
                self.regions |= dict.fromkeys(nodes, region)

    def is_candidate(self, node: Node) -> bool:
        values = node.outputs if node.name in LOOPS else node.outputs[:1]
        real = any(jnp.issubdtype(value.dtype, jnp.floating) for value in values)
        is_read = any(value in self.read for value in node.outputs)
        return is_read and (real or node in self.regions) and any(value in self.flow.depends for value in node.inputs)

    def is_function(self, region: Region, nodes: Sequence[Node]) -> bool:
        """Whether a call is of a known function, or of an elementwise one that is not linear."""
        name = region.name.strip("_")
        live = [node for node in nodes if any(value in self.flow.depends for value in node.inputs)]
        if not live or len(region.outputs) != 1 or region.outputs[0] not in self.flow.depends:
            return False
        if name in FUNCTIONS:
            return True
        made = {value for node in live for value in node.outputs}
        read = {value for node in live for value in self.flow.read(node)} - made
        fits = region.name.isidentifier() and not region.name.startswith("_") and region.name not in CALLS
        each = fits and len(read) == 1 and all(is_pointwise(node, self.flow.depends) for node in live)
        return each and not all(map(self.is_linear, live))

    def operation(self, node: Node) -> Found | None:
        if (region := self.regions.get(node)) is not None:
            return self.call(region)
        if node.body is not None:
            return self.custom(node)
        if node.name in LOOPS:
            return self.loop(node)
        if len(self.flow.read(node)) > 1:
            return self.meeting(node)
        if node.name in REDUCED:
            return self.reduced(node)
        if node.name in LAYERS:
            return self.layer(node)
        if node.name == "reshape":
            return ("flatten", node.outputs[0], set(), False) if is_flattening(node) else None
        return self.element(node)

    def loop(self, node: Node) -> Found | None:
        """What a loop gives: the first of its values that is read."""
        real = [value for value in node.outputs if jnp.issubdtype(value.dtype, jnp.floating) and value in self.read]
        return (node.name, real[0], set(), False) if real else None

    def call(self, region: Region) -> Found:
        """A call of a function with a name."""
        nodes, kind = self.graph.nodes[region.first : region.end], region.name.strip("_")
        if kind == "clip":
            kind = self.clipped([node for node in nodes if node.name in ("max", "min")])
        return kind, region.outputs[0], set(nodes), kind == "glu" or kind not in FUNCTIONS | ARITHMETIC

    def custom(self, node: Node) -> Found | None:
        """A function with a derivative of its own."""
        body, kind = node.body, function_name(node) or "activation"
        if body is None or self.is_linear(node):
            return None
        if len(node.outputs) == 1 and is_function_of_each_value(body) and len(self.flow.read(node)) == 1:
            return kind, node.outputs[0], set(), True
        return (kind, node.outputs[0], set(), False) if kind in FUNCTIONS else None

    def meeting(self, node: Node) -> Found | None:
        """Several values that depend on the image, in a function spelled out or where branches meet."""
        root = self.flow.root(node)
        nearby = lambda each: each.labels == node.labels and is_light(each)
        inside = self.flow.between(root, node, nearby) if root is not None and node.name in LAST else None
        earlier = before(self.flow, root, nearby) if root is not None and inside else set()
        inside = None if inside is None else inside | earlier
        if root is not None and inside is not None and (kind := spelled(self.flow, node, inside, root)) is not None:
            passes = self.scales if kind == "normalize" else self.is_fixed  # its scale and bias may be parameters
            nearby = lambda each: each.name in POINTWISE and each.labels == node.labels and passes(each)
            bends = kind not in ("normalize", "softmax", "log_softmax", "logsumexp")
            return kind, self.flow.onward(node.outputs[0], nearby), inside, bends
        if node.name not in MEETINGS or (node.name in MOVES and self.is_move(node, root)):
            return None
        return MEETINGS[node.name], node.outputs[0], set(), False

    def is_move(self, node: Node, root: Value | None) -> bool:
        """Whether the node only puts parts of one value in another order."""
        inside = None if root is None else self.flow.between(root, node, lambda each: each.name in MOVES)
        return inside is not None

    def reduced(self, node: Node) -> Found:
        """A reduction or pooling; a sum that is divided by a number is a mean."""
        value, kind = node.outputs[0], REDUCED[node.name] or node.name
        if node.name in MEANS:
            kept = self.flow.onward(value, lambda each: each.name in RESHAPES | IDENTITIES)
            mean = self.flow.onward(kept, lambda each: each.name in ("div", "mul") and self.is_fixed(each))
            if mean is not kept:
                return MEANS[node.name], self.flow.onward(mean, lambda each: each.name in IDENTITIES), set(), False
        return kind, value, set(), False

    def layer(self, node: Node) -> Found | None:
        """A convolution or matrix product with a parameter, and its bias; a convolution with a constant is a filter."""
        if sum(value in self.flow.depends for value in node.inputs) > 1:
            return MEETINGS.get(node.name, "conv"), node.outputs[0], set(), False
        if not all(value in self.variable for value in node.inputs):
            return ("filter", node.outputs[0], set(), False) if WEIGHTED[node.name] == "conv" else None
        adds = lambda each: each.name == "add" and each.labels == node.labels and self.is_linear(each)
        return WEIGHTED[node.name], self.flow.onward(node.outputs[0], adds), set(), False

    def element(self, node: Node) -> Found | None:
        """A function of each value by itself."""
        if node.name not in POINTWISE - IDENTITIES - {"stop_gradient"} or self.is_linear(node):
            return None
        chain, kind = self.chain(node), node.name
        earlier = {each.name for each in chain}
        if kind == "div":
            kind = "sigmoid" if "exp" in earlier else "reciprocal"
        elif kind in ("log", "log1p") and "exp" in earlier:
            kind = "softplus"
        elif kind in ("max", "min"):
            return self.bounded(node, [node, *(each for each in chain[:1] if each.name in ("max", "min"))])
        elif kind == "clamp":
            kind = "relu6" if self.is_bound(node, 0) and self.is_bound(node, 6) else "clip"
        elif kind == "mul" or (kind == "integer_pow" and node.params["y"] == 2):
            kind = "square"
        inside = set(chain) if kind in ("sigmoid", "softplus") else set()
        kind = ELEMENTS.get(kind, kind)
        return kind, node.outputs[0], inside, kind not in ARITHMETIC

    def bounded(self, node: Node, bounds: Sequence[Node]) -> Found:
        """A maximum with, or a minimum of, numbers, or one after the other."""
        kind = self.clipped(bounds)
        return kind, node.outputs[0], set(bounds), kind in ("relu", "relu6")

    def clipped(self, bounds: Sequence[Node]) -> str:
        """The name of such bounds."""
        low = [node for node in bounds if node.name == "max"]
        if len(bounds) == 1:
            return "relu" if low and self.is_bound(low[0], 0) else ELEMENTS[bounds[0].name]
        is_relu6 = all(self.is_bound(node, 0 if node.name == "max" else 6) for node in bounds)
        return "relu6" if is_relu6 and len(low) == 1 else "clip"

    def is_bound(self, node: Node, number: float | int) -> bool:
        return any(is_constant(self.flow, value, number) for value in node.inputs)

    def chain(self, node: Node) -> list[Node]:
        """The elementwise nodes before this one, the nearest first, each of which only the next one reads."""
        found = []
        while (maker := self.graph.maker(self.flow.read(node)[0])) is not None and maker.labels == node.labels:
            alone = len(self.flow.readers[maker.outputs[0]]) == 1 and len(self.flow.read(maker)) == 1
            if not alone or not is_pointwise(maker, self.flow.depends) or maker in self.regions or maker.body:
                break
            found.append(maker)
            node = maker
        return found

    def is_linear(self, node: Node) -> bool:
        return is_affine(node, [value in self.flow.depends for value in node.inputs])

    def scales(self, node: Node) -> bool:
        """Whether the node scales or shifts its one input that depends on the image."""
        return len(self.flow.read(node)) == 1 and self.is_linear(node)

    def is_fixed(self, node: Node) -> bool:
        """Whether it does so by numbers that nothing changes."""
        return self.scales(node) and len(self.variable.intersection(node.inputs)) == 1


def is_flattening(node: Node) -> bool:
    """Whether the reshape keeps a row for each image and joins its other axes: all of them, or all but the last."""
    before, after = node.inputs[0].shape, node.outputs[0].shape
    if not 2 <= len(after) < len(before) or before[0] != after[0]:
        return False
    return len(after) == 2 or (len(after) == 3 and before[-1] == after[-1])
