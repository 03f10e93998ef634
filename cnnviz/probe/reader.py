"""What is asked of a network: its model and variables, which layers, and how images become what it takes."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.batching import IMAGE_ROWS, batch_size_or_default
from cnnviz.probe.inputs import (
    Inputs,
    Prepare,
    call_for,
    check_arrays,
    check_images,
    constants,
    image_count,
    inputs_of,
    with_rows,
)
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.trace import Static, Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Activations, LayerNames, PyTree, Variables, VariablesLike

Call = Mapping[str, Any]
NOTHING: Call = MappingProxyType({})


class Request(NamedTuple):
    """What a compilation that reads a network depends on besides shapes; `names` are in order of execution."""

    model: Static
    call: Static
    prepare: Static
    names: tuple[str, ...]
    output: OutputName = None

    def values(self, variables: Variables, inputs: Inputs) -> Activations:
        """The values of these names for each image, `[n, ...]`; for use in a compiled call."""
        traced, arrays = self.traced(variables, inputs)
        found = traced.graph.evaluate(arrays, [traced.value(name) for name in self.names])
        named = zip(self.names, found, strict=True)
        return {name: jnp.moveaxis(value, traced.axis(name), 0) for name, value in named}

    def traced(self, variables: Variables, inputs: Inputs) -> tuple[Trace, list[Any]]:
        """The model's graph for these images, and the arrays that it takes."""
        images = inputs.images if self.prepare.value is None else self.prepare.value(inputs.images)
        call = {**self.call.value, **inputs.rows}
        traced = trace(self.model.value, variables, images, call, self.output)
        return traced, jax.tree.leaves((variables, inputs_of(images, call)))


@dataclass(frozen=True, eq=False)
class Reader:
    """A network, and which of its layers are read (`probe.addressing`): all by default; `probe.LOGITS` are its logits.

    `prepare` turns images as the data set has them, `[n, ...]` of any type, into the floats `[n, ..., c]`, or the tree
    of inputs, that the network takes. It is compiled with the network, a chunk of images at a time, so it is written in
    JAX. `output` says which of several outputs the logits are.
    """

    model: Any
    variables: VariablesLike
    layers: LayerNames = None
    _: KW_ONLY
    prepare: Prepare = None
    call: Call = field(default_factory=dict)
    output: OutputName = None

    def request(self, images: PyTree) -> tuple[Request, Variables, Inputs]:
        """What is compiled to read such images, the variables that it takes, and all that has one row per image.

        Raises InputError for an unknown layer, and for images that the network does not take.
        """
        variables, shapes = as_variables(self.variables), prepared_shape(images, self.prepare)
        inputs = inputs_of(images, self.call)
        image_count(images, self.call)
        traced = trace(self.model, variables, shapes, call_for(self.call, 2), self.output)
        names = tuple(traced.layers) if self.layers is None else traced.find(self.layers)
        for name in names:
            traced.value(name)  # raises InputError if the logits are asked for and no output can be taken for them
        request = Request(Static(self.model), Static(constants(self.call)), Static(self.prepare), names, self.output)
        return request, variables, inputs

    def batch_size(self, images: Any, asked: int | None = None, usual: tuple[int, int] = IMAGE_ROWS) -> int:
        """How many such images a compiled call reads: as many as asked for, or by default as their values allow.

        `usual` is how many at most by default, on CPU and elsewhere.
        """
        variables = as_variables(self.variables)
        traced = trace(self.model, variables, prepared_shape(images, self.prepare), call_for(self.call, 2), self.output)
        return batch_size_or_default(asked, usual, traced.row_bytes)


def prepared_shape(images: PyTree, prepare: Prepare) -> PyTree:
    """The shape and type of two such images after `prepare`. Raises InputError if a network does not take them."""
    two = with_rows(check_images(images) if prepare is None else check_arrays(images), 2)
    return two if prepare is None else check_images(jax.eval_shape(prepare, two))
