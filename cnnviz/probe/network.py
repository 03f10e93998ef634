"""A model as a plain function of one image and of offsets to its layers: what every method of attribution sees."""

from typing import Any

import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.graph import Value
from cnnviz.probe.reader import NOTHING, Call, check_images
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Activations, Array, Image, Network, Outputs, VariablesLike


def network_of(model: Any, variables: VariablesLike, *, call: Call = NOTHING) -> Network:
    """The model as `network(image, offsets) -> (logits, activations)`, for one image `[h, w, c]`.

    `offsets` are added to the layers of these names, each in the shape of its layer, and shift everything computed
    from them; a missing offset means zero. `logits` are those before any softmax that the model ends in; `activations`
    are all layers' values in order of execution, without a batch axis. Inside `jax.jit`, pass `variables` as an
    argument, so that another checkpoint does not recompile.
    """
    variables = as_variables(variables)

    def network(image: Image, offsets: Activations) -> Outputs:
        images = check_images(image[None])
        traced = trace(model, variables, images, call)
        wanted = [traced.logits, *traced.values.values()]
        logits, *values = traced.compute(variables, images, wanted, _shifts(traced, offsets))
        named = zip(traced.values, values, strict=True)
        return Outputs(logits[0], {name: jnp.squeeze(value, traced.axis(name)) for name, value in named})

    return network


def _shifts(traced: Trace, offsets: Activations) -> dict[Value, Array]:
    """The offset of each value; those of two names of one value, such as a block and its last layer, add."""
    shifts: dict[Value, Array] = {}
    for name, offset in offsets.items():
        value, shift = traced.value(name), _as_offset(traced, name, offset)
        shifts[value] = shifts[value] + shift if value in shifts else shift
    return shifts


def _as_offset(traced: Trace, name: str, offset: Array) -> Array:
    """The offset with the layer's batch axis. Raises InputError for another shape, which would broadcast silently."""
    axis = traced.axis(name)
    shifted = jnp.expand_dims(offset, axis)
    if shifted.shape != traced.value(name).shape:
        shape = tuple(n for i, n in enumerate(traced.value(name).shape) if i != axis)
        raise InputError(
            f"An offset has the shape of its layer; {name!r} has {shape}, the offset {tuple(offset.shape)}."
        )
    return shifted
