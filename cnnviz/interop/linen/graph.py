"""A model as a graph of calls of named layers: what an imported file becomes.

A Linen module is a frozen, hashable dataclass, so its fields hold the file's description. A layer's output is Keras's
`layer.output`: that of a convolution comes after its activation. Called without `train`, the model is in evaluation
mode.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.types import Array

Ref = tuple[int, int]  # the number of a value (the graph's inputs, then the results of its calls), and which output
Given = Float[Array, "n ..."] | Mapping[str, Array]


@dataclass(frozen=True)
class Call:
    """One call of a layer on values of the graph."""

    layer: str
    reads: tuple[Ref, ...]


@dataclass(frozen=True)
class Input:
    """An input: its name, its shape without the batch, and whether an axis of one gray channel is taken away."""

    name: str
    shape: tuple[int, ...]
    gray: bool = False


class Graph(nn.Module):
    """Named layers, called on the inputs and on what earlier calls gave.

    One input is an array `[n, *shape]`, several are a mapping from names to arrays; one output is an array, several are
    a dictionary. `pixel_scale` makes pixels from 0 to 255 the values that go in: 1 if its layers rescale them.
    """

    layers: tuple[tuple[str, nn.Module], ...]
    calls: tuple[Call, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, Ref], ...]
    pixel_scale: float = 1 / 255

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of one image, `(h, w, c)`: of the only input, or of the first that has the axes of an image."""
        shapes = [given.shape for given in self.inputs]
        return next((shape for shape in shapes if len(shape) == 3), shapes[0])

    @property
    def input_shapes(self) -> Any:
        """What a call takes, without the axis of images: the shape of the only input, or that of each by its name."""
        shapes = {given.name: given.shape for given in self.inputs}
        return shapes if len(shapes) > 1 else self.image_shape

    @nn.compact
    def __call__(self, x: Given, *, train: bool = False) -> Any:
        # clones, since Flax renames a module in a field after the field
        layers = {name: layer.clone(name=name, parent=self) for name, layer in self.layers}
        values: list[Sequence[Any]] = [(value,) for value in self._arrays(x)]
        for call in self.calls:
            result = apply(layers[call.layer], [values[i][j] for i, j in call.reads], train)
            values.append(tuple(result.values()) if isinstance(result, Mapping) else (result,))
        results = {name: values[i][j] for name, (i, j) in self.outputs}
        return results if len(results) > 1 else next(iter(results.values()))

    def _arrays(self, x: Given) -> Iterator[Array]:
        """The inputs in order; raises InputError if one is missing."""
        if not isinstance(x, Mapping):
            x = dict.fromkeys([given.name for given in self.inputs], x) if len(self.inputs) == 1 else {}
        for given in self.inputs:
            if given.name not in x:
                names = ", ".join(repr(given.name) for given in self.inputs)
                raise InputError(f"The model takes a mapping with its inputs {names}; {given.name!r} is not given.")
            yield x[given.name].reshape(x[given.name].shape[:-1]) if given.gray else x[given.name]


def apply(layer: nn.Module, arguments: Sequence[Any], train: bool) -> Any:
    """The layer, or a graph as a layer, called on these arguments."""
    if not isinstance(layer, Graph):
        return layer(*arguments, train=train)
    return layer({given.name: value for given, value in zip(layer.inputs, arguments, strict=True)}, train=train)


def chain(layers: Sequence[tuple[str, nn.Module]], shape: tuple[int, ...], gray: bool = False) -> Graph:
    """The layers one after the other, for one input of this shape."""
    calls = tuple(Call(name, ((i, 0),)) for i, (name, _) in enumerate(layers))
    return Graph(tuple(layers), calls, (Input("", shape, gray),), (("", (len(calls), 0)),))
