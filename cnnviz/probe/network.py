"""A model as a plain function of one image and of offsets to its layers: what every method of attribution sees."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.graph import Value
from cnnviz.probe.inputs import check_images, image_count
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.reader import NOTHING, Call
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS, Activations, Array, Network, Outputs, PyTree, Variables, VariablesLike


def network_of(model: Any, variables: VariablesLike, *, call: Call = NOTHING, output: OutputName = None) -> Network:
    """The model as `network(image, offsets) -> (logits, activations)`, for one image `[..., c]`, or a tree of inputs.

    `offsets` are added to the layers of these names, each in the shape of its layer, and shift everything computed
    from them; a missing offset means zero. `logits` are those before any softmax that the model ends in, of the
    `output` that is named; `activations` are all layers' values in order of execution, without a batch axis. `Rows` in
    `call` have the one row of the image. Inside `jax.jit`, pass `variables` as an argument, so that another checkpoint
    does not recompile.
    """
    variables = as_variables(variables)

    def network(image: PyTree, offsets: Activations) -> Outputs:
        traced, images = _traced(model, variables, image, call, output)
        logits, activations = _evaluated(traced, variables, images, call, offsets, traced.logits)
        return Outputs(logits, activations)

    return network


def layers_of(
    model: Any, variables: VariablesLike, *, call: Call = NOTHING, output: OutputName = None
) -> Callable[[PyTree, Activations], Activations]:
    """`network_of` without the need for logits: `(image, offsets) -> activations`, with the logits if there are any."""
    variables = as_variables(variables)

    def layers(image: PyTree, offsets: Activations) -> Activations:
        traced, images = _traced(model, variables, image, call, output)
        ends = traced.logits_or_none
        logits, activations = _evaluated(traced, variables, images, call, offsets, ends)
        return activations if ends is None else {LOGITS: logits, **activations}

    return layers


def _traced(model: Any, variables: Variables, image: PyTree, call: Call, output: OutputName) -> tuple[Trace, PyTree]:
    images = check_images(jax.tree.map(lambda leaf: leaf[None], image))
    image_count(images, call)
    return trace(model, variables, images, call, output), images


def _evaluated(
    traced: Trace, variables: Variables, images: PyTree, call: Call, offsets: Activations, ends: Value | None
) -> tuple[Any, Activations]:
    """One image's value of `ends`, None without it, and of each layer."""
    wanted = [*traced.values.values(), *(() if ends is None else (ends,))]
    found = traced.compute(variables, images, call, wanted, _shifts(traced, offsets))
    named = zip(traced.values, found, strict=False)
    values = {name: jnp.squeeze(value, traced.axis(name)) for name, value in named}
    return None if ends is None else found[-1][0], values


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
    dtype = traced.value(name).dtype
    return shifted.astype(dtype) if jnp.issubdtype(dtype, jnp.floating) else shifted
