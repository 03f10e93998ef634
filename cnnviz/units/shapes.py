"""The layers whose channels have statistics, and the shapes of their values."""

from typing import Any

from cnnviz.errors import InputError
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.inputs import Prepare, call_for
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.reader import Reader, prepared_shape
from cnnviz.probe.trace import trace
from cnnviz.types import LayerNames, PyTree, VariablesLike


def shapes_of(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layers: LayerNames = None,
    *,
    prepare: Prepare = None,
    call: Call = NOTHING,
    output: OutputName = None,
) -> dict[str, tuple[int, ...]]:
    """The shape of one image's value of each of the named layers, in order of execution; by default of all.

    A layer whose value for one image is a single number has no channels: it is left out, or raises InputError if it is
    named. Raises InputError if the images do not fit.
    """
    reader = Reader(model, variables, layers, prepare=prepare, call=call, output=output)
    request, variables, _ = reader.request(images)
    traced = trace(model, variables, prepared_shape(images, prepare), call_for(call, 2), output)
    shape = lambda name: [n for axis, n in enumerate(traced.value(name).shape) if axis != traced.axis(name)]
    shapes = {name: tuple(shape(name)) for name in request.names}
    flat = [name for name, sides in shapes.items() if not sides]
    if layers is not None and flat:
        raise InputError(f"The layer {flat[0]!r} has no channels: its value for one image is one number.")
    return {name: sides for name, sides in shapes.items() if sides}
