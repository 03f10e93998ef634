"""What is asked of a network: its model and variables, which layers, and how images become what it takes."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cnnviz.batching import IMAGE_ROWS, batch_size_or_default
from cnnviz.errors import InputError, InputTypeError
from cnnviz.probe.trace import Static, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Activations, Array, LayerNames, Variables, VariablesLike

Call = Mapping[str, Any]
NOTHING: Call = MappingProxyType({})
Prepare = Callable[[Array], Array] | None


class Request(NamedTuple):
    """What a compilation that reads a network depends on besides shapes; `names` are in order of execution."""

    model: Static
    call: Static
    prepare: Static
    names: tuple[str, ...]

    def values(self, variables: Variables, images: Array) -> Activations:
        """The values of these names for each image, `[n, ...]`; for use in a compiled call."""
        images = images if self.prepare.value is None else self.prepare.value(images)
        traced = trace(self.model.value, variables, images, self.call.value)
        found = traced.compute(variables, images, [traced.value(name) for name in self.names])
        named = zip(self.names, found, strict=True)
        return {name: jnp.moveaxis(value, traced.axis(name), 0) for name, value in named}


@dataclass(frozen=True, eq=False)
class Reader:
    """A network, and which of its layers are read (`probe.addressing`): all by default; `probe.LOGITS` are its logits.

    `prepare` turns images as the data set has them, `[n, ...]` of any type, into the floats `[n, h, w, c]` that the
    network takes. It is compiled with the network, a chunk of images at a time, so it is written in JAX.
    """

    model: Any
    variables: VariablesLike
    layers: LayerNames = None
    _: KW_ONLY
    prepare: Prepare = None
    call: Call = field(default_factory=dict)

    def request(self, images: Any) -> tuple[Request, Variables]:
        """What is compiled to read such images, and the variables that it takes.

        Raises InputError for an unknown layer, and for images that the network does not take.
        """
        variables = as_variables(self.variables)
        traced = trace(self.model, variables, prepared_shape(images, self.prepare), self.call)
        names = tuple(traced.layers) if self.layers is None else traced.find(self.layers)
        return Request(Static(self.model), Static(self.call), Static(self.prepare), names), variables

    def batch_size(self, images: Any, asked: int | None = None) -> int:
        """How many such images a compiled call reads: as many as asked for, or by default as their values allow."""
        variables = as_variables(self.variables)
        traced = trace(self.model, variables, prepared_shape(images, self.prepare), self.call)
        return batch_size_or_default(asked, IMAGE_ROWS, traced.row_bytes)


def prepared_shape(images: Any, prepare: Prepare) -> jax.ShapeDtypeStruct:
    """The shape and type of two such images after `prepare`. Raises InputError if a network does not take them."""
    if prepare is None or not hasattr(images, "shape"):
        check_images(images)
    two = jax.ShapeDtypeStruct((2, *images.shape[1:]), images.dtype)
    return two if prepare is None else check_images(jax.eval_shape(prepare, two))


def check_images(images: Any) -> Any:
    """The images as they are. Raises InputTypeError or InputError if they are not float `[n, h, w, c]`."""
    if not hasattr(images, "shape"):
        raise InputTypeError(f"Images are an array; these are a {type(images).__name__}.")
    if images.ndim != 4:
        raise InputError(f"Images have the shape [n, h, w, c]; these have {tuple(images.shape)}.")
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputTypeError(f"Images are floats as the run's `prepare` makes them; these are {images.dtype}.")
    return images
