"""A graph's values with some channels of one value replaced, for many sets of channels: what they share, once.

What does not depend on the channels is computed once for all sets. A value that keeps the channels apart, after a ReLU
or a pooling, is computed twice: as it is, and with all channels replaced. The first convolution or dense layer after it
is linear, so what a set changes in its output is the sum over the set's channels of that channel's kernel applied to
the difference: for all single channels together, that is the work of one layer. Only then is there a value per set.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.fast.pooling import at_each_place
from cnnviz.fast.rewrite import apply_faster
from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.channels import Channels, kept_apart
from cnnviz.types import Array

MOST_TERMS = 50  # in a sum of shifted images, which reads that many images


class Sets(NamedTuple):
    """Sets of channels: `mask` bool `[sets c]`, and `members` int `[sets j]` if j is small.

    The members of a set differ; one past the last channel stands for none.
    """

    mask: Array
    members: Array | None = None

    @classmethod
    def of(cls, members: Array, channels: int) -> "Sets":
        """The sets of these members, int `[sets j]`, of so many channels."""
        return cls((members[..., None] == jnp.arange(channels)[None, None]).any(1), members)


class Replaced(NamedTuple):
    """A value that keeps channels apart: with none replaced, with all, and how they lie in it."""

    whole: Array
    other: Array
    channels: Channels


class Each(NamedTuple):
    """A value per set, `[sets ...]`."""

    array: Array


@dataclass(eq=False)
class WithChannels:
    """The graph's values with the channels of each set replaced in `value`, along its axis `axis`.

    `instead` `[c]` has the number that replaces each channel at all places. `bytes` counts those of values per set,
    as they are computed.
    """

    graph: Graph
    value: Value
    axis: int
    instead: Array
    sets: Sets
    bytes: int = 0

    def evaluate(self, arrays: Sequence[Any], wanted: Sequence[Value]) -> list[Array]:
        """The wanted values, `[sets ...]`, for these inputs of the graph."""
        inputs = self.replaced(self.graph.inputs, arrays)
        return [self.per_set(found) for found in self.graph.evaluate(inputs, wanted, apply=self.apply)]

    def apply(self, node: Node, *given: Any) -> Sequence[Any]:
        """The node's outputs for inputs that are arrays, `Replaced` or `Each`."""
        found = self.replaced(node.outputs, self.outputs(node, given))
        self.bytes += sum(made.array.nbytes for made in found if isinstance(made, Each))
        return found

    def replaced(self, values: Sequence[Value], arrays: Sequence[Any]) -> list[Any]:
        """The arrays of these values; that of `value` with its channels replaced."""
        return [self.begin(array) if made is self.value else array for made, array in zip(values, arrays, strict=True)]

    def begin(self, array: Array) -> Replaced:
        """The value itself, whose channels are replaced."""
        shape = [1] * array.ndim
        shape[self.axis] = -1
        other = jnp.broadcast_to(self.instead.astype(array.dtype).reshape(shape), array.shape)
        return Replaced(array, other, Channels.along(array.shape, self.axis))

    def outputs(self, node: Node, given: Sequence[Any]) -> Sequence[Any]:
        """The node's outputs: for all sets alike, with channels kept apart, or per set."""
        if not any(isinstance(array, Replaced | Each) for array in given):
            return apply_faster(node, *given)
        if is_on(Rewrite.CHANNEL_SETS) and not any(isinstance(array, Each) for array in given):
            pairs = zip(node.inputs, given, strict=True)
            known = {value: array.channels for value, array in pairs if isinstance(array, Replaced)}
            if (channels := kept_apart(node, known)) is not None:
                return _apart(node, given, channels)
            if (change := _change(node, given, self.sets)) is not None:
                (whole,) = apply_faster(node, given[0].whole, given[1])
                return [Each(whole[None] + change)]
        given = [Each(self.per_set(array)) if isinstance(array, Replaced) else array for array in given]
        arrays = [array.array if isinstance(array, Each) else array for array in given]
        axes = [0 if isinstance(array, Each) else None for array in given]
        return [Each(made) for made in jax.vmap(lambda *each: list(apply_faster(node, *each)), axes)(*arrays)]

    def per_set(self, found: Any) -> Array:
        """A value per set, `[sets ...]`."""
        if isinstance(found, Each):
            return found.array
        mask = self.sets.mask
        if not isinstance(found, Replaced):
            return jnp.broadcast_to(found[None], (len(mask), *found.shape))
        size, stride = found.channels
        channel = ((jnp.arange(found.whole.size) // stride) % size).reshape(found.whole.shape)
        return jax.vmap(lambda own: jnp.where(own[channel], found.other, found.whole))(mask)


def _apart(node: Node, given: Sequence[Any], channels: Channels) -> list[Replaced]:
    """The outputs of a node that keeps the channels apart: with none replaced, and with all."""
    pick = lambda name: [getattr(array, name) if isinstance(array, Replaced) else array for array in given]
    both = zip(apply_faster(node, *pick("whole")), apply_faster(node, *pick("other")), strict=True)
    return [Replaced(whole, other, channels) for whole, other in both]


def _change(node: Node, given: Sequence[Any], sets: Sets) -> Array | None:
    """What each set changes in the output of a convolution or dense layer, `[sets ...]`; None for any other node."""
    if sets.members is None or not isinstance(given[0], Replaced) or isinstance(given[-1], Replaced):
        return None
    if node.name == "dot_general" and _is_dense(node):
        return _of_dense(given[0], given[1], sets.members)
    if node.name == "conv_general_dilated" and _is_plain(node, sets.members.shape[1]):
        feature = node.params["dimension_numbers"].lhs_spec[1]
        apart = given[0].channels.axis(given[0].whole.shape) == feature
        return _of_convolution(node, given[0], given[1], sets.members) if apart else None
    return None


def _is_dense(node: Node) -> bool:
    """Whether it is a product of values `[..., f]` and a kernel `[f o]`, in one precision."""
    x, kernel = node.inputs
    one = ((len(x.shape) - 1,), (0,)), ((), ())
    numbers = tuple(tuple(map(tuple, part)) for part in node.params["dimension_numbers"])
    return numbers == one and len(kernel.shape) == 2 and x.dtype == kernel.dtype == node.outputs[0].dtype


def _of_dense(given: Replaced, kernel: Array, members: Array) -> Array | None:
    """One matrix product per set: its channels' part of the change by their part of the kernel."""
    place = given.channels.place(given.whole.shape)
    if place is None or place.axis != given.whole.ndim - 1:
        return None
    apart = (place.before, given.channels.size, place.after)
    change = (given.other - given.whole).reshape(*given.whole.shape[:-1], *apart)
    change = _taken(change, members, change.ndim - 2)  # [..., before, sets, j, after]
    weights = _taken(kernel.reshape(*apart, kernel.shape[-1]), members, 1)
    return jnp.einsum("...bsja,bsjao->s...o", change, weights)


def _is_plain(node: Node, members: int) -> bool:
    """Whether it is a convolution of all channels, of an image without holes, by few positions, in one precision."""
    params, (x, kernel) = node.params, node.inputs
    whole = params["feature_group_count"] == params["batch_group_count"] == 1 and set(params["lhs_dilation"]) == {1}
    places = math.prod(kernel.shape[axis] for axis in params["dimension_numbers"].rhs_spec[2:])
    return whole and members * places <= MOST_TERMS and x.dtype == kernel.dtype == node.outputs[0].dtype


def _of_convolution(node: Node, given: Replaced, kernel: Array, members: Array) -> Array:
    """The sum over the kernel's positions and the set's channels of the shifted change times the weights.

    XLA computes it in one loop with what follows; matrix products with so few columns take three times as long.
    """
    params, (images, (o, i, *axes), outputs) = node.params, node.params["dimension_numbers"]
    change = (given.other - given.whole).transpose(images[1], images[0], *images[2:])
    change = jax.lax.optimization_barrier(_taken(change, members, 0))  # [sets j n *space]
    pads = [*[(0, 0, 0)] * 3, *((*sides, 0) for sides in params["padding"])]
    change = jax.lax.optimization_barrier(jax.lax.pad(change, jnp.zeros((), change.dtype), pads))
    weights = kernel.transpose(*axes, i, o)
    space = [node.outputs[0].shape[axis] for axis in outputs[2:]]
    strides, dilation = ((1, 1, 1, *params[name]) for name in ("window_strides", "rhs_dilation"))
    window = (1, 1, 1, *weights.shape[:-2])
    seen = at_each_place(change, window, strides, dilation, (*change.shape[:3], *space))
    weights = _taken(weights.reshape(-1, *weights.shape[-2:]), members, 1)  # [places sets j o]
    weights = weights.reshape(*weights.shape[:3], *[1] * (1 + len(space)), weights.shape[-1])
    terms = (s[:, j, ..., None] * w[:, j] for s, w in zip(seen, weights, strict=True) for j in range(members.shape[1]))
    found = reduce(jnp.add, terms)  # [sets n *space o]
    place = [outputs[0], *outputs[2:], outputs[1]]
    return found.transpose(0, *(1 + place.index(axis) for axis in range(len(place))))


def _taken(array: Array, members: Array, axis: int) -> Array:
    """The members of each set along the axis, which becomes two: `[sets j]`; zero for none."""
    return jnp.take(array, members, axis, mode="fill", fill_value=0)
