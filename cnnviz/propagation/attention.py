"""Attention in a score's graph: each softmax whose output is multiplied with other values that depend on the image."""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp

from cnnviz.graph import Value
from cnnviz.propagation.factors import softmax_of
from cnnviz.propagation.steps import Reading, Step
from cnnviz.types import Array, Float


class Attention(NamedTuple):
    """The weights of one self-attention, and their axes of the tokens that ask and of those that are read."""

    weights: Value
    queries: int
    keys: int

    def by_head(self, weights: Array) -> Float[Array, "heads t t"]:
        """An array of the weights' shape with one row per token that asks; all other axes are heads."""
        moved = jnp.moveaxis(weights, (self.queries, self.keys), (-2, -1))
        return moved.reshape(-1, *moved.shape[-2:])


def self_attentions(reading: Reading) -> list[Attention]:
    """The self-attentions of a reading, in order of execution, whichever modules make them."""
    found = [each for step in reading.steps for each in _of_product(step)]
    return list({each.weights: each for each in found}.values())


def _of_product(step: Step) -> Iterator[Attention]:
    """The attention whose weights are a factor of the step, if there are as many tokens that ask as are read."""
    if step.name != "product" or step.nodes[-1].name != "dot_general":
        return
    for value in step.inputs:
        if (last := softmax_of(step.reading, value)) is not None:
            (weights,), keys = last.outputs, _summed_axis(step.reading, last.inputs[1])
            count = weights.shape[keys]
            others = [axis for axis, n in enumerate(weights.shape) if n == count and axis != keys]
            if others and count > 1:
                yield Attention(weights, min(others, key=lambda axis: abs(axis - keys)), keys)


def _summed_axis(reading: Reading, total: Value) -> int:
    """The axis over which a softmax's denominator is summed."""
    node = reading.graph.maker(total)
    while node is not None and node.name != "reduce_sum":
        node = reading.graph.maker(node.inputs[0])
    return -1 if node is None else node.params["axes"][0]
