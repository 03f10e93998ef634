"""The weighted links between layers: which convolution or dense layer of the graph leads from one to the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cnnviz.batching import Report, fold_rows
from cnnviz.fast.jit import compiled
from cnnviz.fast.pooling import at_each_place
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.channels import Channels, kept_apart
from cnnviz.graph.flow import Flow
from cnnviz.graph.linearity import is_affine
from cnnviz.graph.primitives import LAYERS
from cnnviz.probe import Reader
from cnnviz.probe.addressing import find_one
from cnnviz.probe.inputs import Inputs
from cnnviz.probe.reader import Request
from cnnviz.probe.replaced import channel_count
from cnnviz.probe.trace import Trace
from cnnviz.types import Array, PyTree, Variables
from cnnviz.units.layer import traced_layer

IMAGE = "image"


@dataclass(frozen=True, eq=False)
class Link:
    """A convolution or dense layer, node number `node` of the graph, from the units of `source` to those of `target`.

    `kernels` are `[*window i o]` for all i and o, zero where a group does not read a channel; those of a dense layer on
    a flattened map have the map's places as their window.
    """

    node: int
    source: str
    target: str
    kernels: Float[np.ndarray, "*window i o"]
    convolution: Node | None

    def flows(self, mean: Float[np.ndarray, "..."]) -> Float[np.ndarray, "i o"]:
        """What each unit of the source adds to each of the target, for its mean input over images."""
        *window, inputs, outputs = self.kernels.shape
        kernels = self.kernels.reshape(-1, inputs, outputs)
        seen = mean.reshape(-1, inputs) if self.convolution is None else _seen(self.convolution, mean)
        return np.einsum("pi,pio->io", seen, kernels)


def _seen(node: Node, mean: np.ndarray) -> np.ndarray:
    """The mean over places of what each position of the kernel sees of each channel, `[places c]`."""
    params, (images, (_, _, *axes), outputs) = node.params, node.params["dimension_numbers"]
    at = lambda axis: axis - (axis > images[0])  # without the axis of images
    x = jnp.asarray(mean).transpose(*map(at, images[2:]), at(images[1]))
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [*((*sides, 0) for sides in params["padding"]), (0, 0, 0)])
    window = (*(node.inputs[1].shape[axis] for axis in axes), 1)
    space = [node.outputs[0].shape[axis] for axis in outputs[2:]]
    strides, dilation = ((*params[name], 1) for name in ("window_strides", "rhs_dilation"))
    seen = at_each_place(x, window, strides, dilation, (*space, x.shape[-1]))
    return np.stack([np.asarray(each.reshape(-1, x.shape[-1]).mean(0)) for each in seen])


@dataclass(frozen=True, eq=False)
class Links:
    """The links into and out of a layer of `count` units."""

    reader: Reader
    layer: str
    count: int
    before: Sequence[Link]
    after: Sequence[Link]


def links_of(reader: Reader, images: PyTree) -> Links:
    """The links of the one layer that `reader` reads; raises InputError if there is none, or if it has no units."""
    traced = traced_layer(reader, images)
    layer = find_one(reader.layers, traced.addresses)
    request, variables, inputs = reader.request(images)
    _, arrays = request.traced(variables, jax.tree.map(lambda leaf: leaf[:2], inputs))
    ways, value, count = Ways(traced, arrays), traced.value(layer), channel_count(traced, layer)
    before = [ways.link(node) for node in ways.into(value)]
    after = [ways.link(node, count) for node in ways.out_of(value)]
    before = [link for link in before if link is not None and link.kernels.shape[-1] == count]
    after = [link for link in after if link is not None and link.kernels.shape[-2] == count]
    return Links(reader, layer, count, before, after)


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways between named values of a graph through weighted nodes, with the arrays that the graph takes."""

    traced: Trace
    arrays: Sequence[Any]

    @cached_property
    def flow(self) -> Flow:
        """How values flow from the images."""
        return Flow(self.graph, list(self.traced.images.values()))

    @property
    def graph(self) -> Graph:
        """The network's graph."""
        return self.traced.graph

    @cached_property
    def names(self) -> dict[Value, str]:
        """The first name of each value."""
        found: dict[Value, str] = {}
        for name, value in self.traced.values.items():
            found.setdefault(value, name)
        return found

    def into(self, value: Value) -> list[Node]:
        """The weighted node that the value comes from by functions of one channel, or none."""
        chain: list[Node] = []
        while (node := self.graph.maker(value)) is not None and len(read := self.flow.read(node)) == 1:
            if node.name in LAYERS:
                return [node] if self.is_apart(node, chain[::-1]) else []
            chain.append(node)
            (value,) = read
        return []

    def is_apart(self, node: Node, chain: Sequence[Node]) -> bool:
        """Whether the nodes that follow a weighted one keep its channels apart, each a function of the one before."""
        (value,) = node.outputs
        channels = Channels.along(value.shape, _channel_axis(node))
        for each in chain:
            if (found := kept_apart(each, {value: channels})) is None:
                return False
            (value, *_), channels = each.outputs, found
        return channels.axis(value.shape) == len(value.shape) - 1

    def out_of(self, value: Value) -> Iterator[Node]:
        """The weighted nodes that read the value, or a function of one channel of it."""
        known = {value: Channels.along(value.shape, len(value.shape) - 1)}
        seen = [value]
        while seen:
            one = seen.pop(0)
            for node in self.flow.readers[one]:
                if node.name in LAYERS and node.inputs[0] is one:
                    yield node
                elif node.name not in LAYERS and len(self.flow.read(node)) == 1:
                    channels = kept_apart(node, {one: known[one]})
                    new = [made for made in node.outputs if channels is not None and made not in known]
                    known |= {made: channels for made in new if channels is not None}
                    seen.extend(new)

    def link(self, node: Node, inputs: int = 0) -> Link | None:
        """The link through a convolution or dense layer, which reads so many units; None for other products."""
        source, shape = self.source(node.inputs[0], inputs)
        made = self.made(node)
        kernel, slope = self.kernel(node), self.slope(node, made)
        if kernel is None:
            return None
        if node.name == "dot_general" and kernel.shape[0] != shape[-1]:
            kernel = kernel.reshape(*shape[1:], kernel.shape[-1])
        number = self.graph.made_by[node.outputs[0]]
        convolution = node if node.name == "conv_general_dilated" else None
        return Link(number, source, self.target(node.outputs[0], made), kernel * slope, convolution)

    def source(self, value: Value, units: int) -> tuple[str, tuple[int, ...]]:
        """The name of the units that a weighted node reads, and the shape of their value before it is flattened.

        What was only flattened has no units of its own, unless so many are asked for.
        """
        first: tuple[int, ...] | None = None
        while value not in self.names or (self.is_flattened(value) and value.shape[-1] != units):
            node = self.graph.maker(value)
            if node is None:
                return IMAGE, first or value.shape
            if node.name != "reshape" and first is None:
                first = value.shape
            if len(read := self.flow.read(node)) != 1:
                return f"the input of {node.place}", first or value.shape
            (value,) = read
        return self.names[value], first or value.shape

    def is_flattened(self, value: Value) -> bool:
        """Whether the value is another one with fewer axes."""
        node = self.graph.maker(value)
        return node is not None and node.name == "reshape" and len(value.shape) < len(node.inputs[0].shape)

    def made(self, node: Node) -> Value:
        """The weighted node's output with its bias and BatchNorm."""
        passes = lambda each: (
            is_affine(each, [value in self.flow.depends for value in each.inputs])
            and len(self.flow.read(each)) == 1
            and each.outputs[0].shape == node.outputs[0].shape
        )
        return self.flow.onward(node.outputs[0], passes)

    def target(self, *values: Value) -> str:
        """The name of the layer that a weighted node makes: of its output, or of what is made of that."""
        value = values[0]
        for _ in range(len(self.graph.nodes)):
            if value in self.names:
                return self.names[value]
            if len(readers := self.flow.readers[value]) != 1:
                break
            (value, *_) = readers[0].outputs
        return "logits"

    def kernel(self, node: Node) -> np.ndarray | None:
        """The weights as `[*window i o]` for all i and o; None for a product of another form."""
        if node.inputs[1] in self.flow.depends:
            return None
        (weights,) = self.graph.evaluate(self.arrays, [node.inputs[1]])
        weights = np.asarray(weights, np.float32)
        if node.name == "dot_general":
            (_, contracted), _ = node.params["dimension_numbers"]
            usual = weights.ndim == 2 and len(contracted) == 1
            return (weights if contracted[0] == 0 else weights.T) if usual else None
        outputs, inputs, *axes = node.params["dimension_numbers"].rhs_spec
        weights = weights.transpose(*axes, inputs, outputs)
        groups = node.params["feature_group_count"]
        return weights if groups == 1 else _ungrouped(weights, groups)

    def slope(self, node: Node, made: Value) -> np.ndarray:
        """What BatchNorm and other scalings after the node multiply each of its channels by."""
        if made is node.outputs[0]:
            return np.ones(1, np.float32)
        rest = tuple(each for each in self.graph.nodes if each is not node)
        inside = Graph((*self.graph.inputs, node.outputs[0]), (made,), rest)
        at = lambda number: inside.evaluate([*self.arrays, jnp.full(made.shape, number, made.dtype)], [made])[0]
        slope = np.asarray(at(1) - at(0), np.float32)
        axis = _channel_axis(node)
        return np.moveaxis(slope, axis, -1).reshape(-1, slope.shape[axis])[0]


def _channel_axis(node: Node) -> int:
    """The axis of a weighted node's output that has its channels."""
    is_convolution = node.name == "conv_general_dilated"
    return node.params["dimension_numbers"].out_spec[1] if is_convolution else len(node.outputs[0].shape) - 1


def _ungrouped(weights: np.ndarray, groups: int) -> np.ndarray:
    """The kernel of a convolution without groups that does the same: zero between groups."""
    *window, inputs, outputs = weights.shape
    each = outputs // groups
    full = np.zeros((*window, inputs * groups, outputs), weights.dtype)
    for g in range(groups):
        own = slice(g * each, (g + 1) * each)
        full[..., g * inputs : (g + 1) * inputs, own] = weights[..., own]
    return full


def mean_inputs(links: Links, images: PyTree, batch_size: int | None, report: Report | None) -> dict[int, np.ndarray]:
    """For each link's node, the mean over the images of what it reads, without the axis of images."""
    request, variables, inputs = links.reader.request(images)
    nodes = tuple(dict.fromkeys(link.node for link in (*links.before, *links.after)))
    if not nodes:
        return {}
    step = partial(_add_inputs, request, nodes)
    init = jnp.zeros(()), [jnp.zeros(())] * len(nodes)
    size = links.reader.batch_size(images, batch_size)
    count, sums = fold_rows(step, variables, init, (inputs,), None, size, report=report)
    return {node: np.asarray(total / count) for node, total in zip(nodes, sums, strict=True)}


@partial(compiled, static_argnums=(0, 1))
def _add_inputs(
    request: Request, nodes: tuple[int, ...], variables: Variables, state: Any, rows: tuple[Inputs], mask: Array
) -> Any:
    traced, arrays = request.traced(variables, rows[0])
    every = [traced.graph.nodes[number] for number in nodes]
    found = traced.graph.evaluate(arrays, [node.inputs[0] for node in every])
    count, sums = state
    added = [_summed(node, value, mask) for node, value in zip(every, found, strict=True)]
    return count + mask.sum(), [total + new for total, new in zip(sums, added, strict=True)]


def _summed(node: Node, value: Array, mask: Array) -> Array:
    """The sum over images; of a dense layer on sequences, the mean over their places too."""
    axis = node.params["dimension_numbers"].lhs_spec[0] if node.name == "conv_general_dilated" else 0
    value = jnp.moveaxis(value.astype(jnp.float32), axis, 0)
    known = mask.reshape(-1, *[1] * (value.ndim - 1))
    total = jnp.where(known, value, 0).sum(0)
    is_dense = node.name == "dot_general" and total.ndim > 1
    return total.reshape(-1, total.shape[-1]).mean(0) if is_dense else total
