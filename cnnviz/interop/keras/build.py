"""The Linen model that a description becomes, and the shapes of its inputs."""

from collections.abc import Sequence
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop.keras.fields import is_whole, shortly
from cnnviz.interop.keras.layers import layer_of
from cnnviz.interop.keras.wiring import Wired
from cnnviz.interop.linen.graph import Graph, Input


def build(wired: Wired, first: bool) -> Graph:
    """The model, whose images have their channels last even if the file's have them `first`.

    Raises InputError if a layer is not supported or an input has no fixed shape.
    """
    inputs = [_input(wired, name, shape, first) for name, shape in wired.inputs]
    if len(inputs) == 1 and not 2 <= len(inputs[0].shape) <= 4:
        raise _no_image(wired.inputs[0][1])
    return _graph(wired, inputs)


def _graph(wired: Wired, inputs: Sequence[Input]) -> Graph:
    layers = []
    for layer in wired.layers:
        if isinstance(layer, Wired):
            layers.append((layer.name, _graph(layer, [Input(name, ()) for name, _ in layer.inputs])))
        else:
            layers.append((layer.name, layer_of(layer, wired.constants.get(layer.name, ()))))
    return Graph(tuple(layers), wired.calls, tuple(inputs), wired.outputs)


def _input(wired: Wired, name: str, shape: Any, first: bool) -> Input:
    """An input without the batch; images that the file has without an axis for the channel get one."""
    sides = shape[1:] if isinstance(shape, list) else []
    if not sides or not all(map(is_whole, sides)):
        raise _no_image(shape)
    if len(sides) == 2 and not _is_signal(wired):
        return Input(name, (*sides, 1), gray=True)
    return Input(name, (*sides[1:], sides[0]) if first and len(sides) > 1 else tuple(sides))


def _is_signal(wired: Wired) -> bool:
    """Whether some layer takes values of one axis and channels, so that two sizes are not an image's."""
    inner = [_is_signal(layer) if isinstance(layer, Wired) else "1D" in layer.kind for layer in wired.layers]
    return any(inner)


def _no_image(shape: Any) -> InputError:
    return InputError(
        f"the input shape is {shortly(shape) if shape else 'not in the file'}; it must be [batch, height, width, "
        "channels] with known sizes, as keras.Input((32, 32, 3)) gives: build the model on one, and save it again."
    )
