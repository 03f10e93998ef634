"""A network's logits with channels of one layer replaced: what comes before the layer is computed once for all sets.

This is `network_of` with an offset to the layer that is minus some of its channels, for many offsets at once.
"""

from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.fast.channel_sets import Sets, WithChannels
from cnnviz.probe.inputs import Inputs, with_rows
from cnnviz.probe.reader import Reader, Request
from cnnviz.probe.trace import Trace
from cnnviz.types import Array, Float, PyTree, Variables


def channel_count(traced: Trace, name: str) -> int:
    """The number of channels of a layer, along the last axis of one image's value.

    Raises InputError if the layer has one number per image.
    """
    return traced.value(name).shape[_channel_axis(traced, name)]


def replaced_logits(
    request: Request, variables: Variables, inputs: Inputs, name: str, instead: Float[Array, " c"], sets: Sets
) -> Float[Array, "sets n k"]:
    """The logits of each image with the channels of each set replaced in the layer `name`; for use in a compiled call.

    `instead` has the number that replaces each channel at all places.
    """
    found, traced, arrays = _evaluation(request, variables, inputs, name, instead, sets)
    return found.evaluate(arrays, [traced.logits])[0]


def bytes_per_set(reader: Reader, images: PyTree, name: str) -> int:
    """The bytes of what is computed for one image and one set of one channel after the layer; nothing is computed."""
    request, variables, inputs = reader.request(images)
    one, counted = with_rows(inputs, 1), []

    def count(variables: Variables, inputs: Inputs) -> Array:
        found, traced, arrays = _evaluation(request, variables, inputs, name, jnp.zeros(()), None)
        logits = found.evaluate(arrays, [traced.logits])[0]
        counted.append(found.bytes)
        return logits

    jax.eval_shape(count, variables, one)
    return counted[0]


def _evaluation(
    request: Request, variables: Variables, inputs: Inputs, name: str, instead: Array, sets: Sets | None
) -> tuple[WithChannels, Trace, list[Any]]:
    traced, arrays = request.traced(variables, inputs)
    value, axis = traced.value(name), _channel_axis(traced, name)
    count = value.shape[axis]
    sets = Sets.of(jnp.zeros((1, 1), int), count) if sets is None else sets
    return WithChannels(traced.graph, value, axis, jnp.broadcast_to(instead, (count,)), sets), traced, arrays


def _channel_axis(traced: Trace, name: str) -> int:
    value, images = traced.value(name), traced.axis(name)
    axes = [axis for axis in range(len(value.shape)) if axis != images]
    if not axes:
        raise InputError(f"The layer {name!r} has one number per image and no channels.")
    return axes[-1]
