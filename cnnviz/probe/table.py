"""The layer table: every named value of a model, with its kind, shape, parameters and receptive field."""

from dataclasses import astuple, dataclass, fields, replace
from html import escape
from typing import Any

from cnnviz.graph import Value
from cnnviz.graph.receptive_field import receptive_fields
from cnnviz.kernels import parameter_counts
from cnnviz.probe.inputs import call_for, one_image, with_rows
from cnnviz.probe.reader import NOTHING, Call
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import VariablesLike


@dataclass(frozen=True)
class Layer:
    """One row of a model's layer table; `shape` is that of the value for one image.

    `parameters` counts those of the module itself, so that the column sums to the model's. `receptive_field` is the
    size, (h, w) of a picture, of the region that one value can depend on: the complete image after flattening or a
    mean, None if the value does not depend on the image. Of several inputs it is that in the first one, in their order,
    that the value depends on.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    receptive_field: tuple[int, ...] | None


class Layers(list[Layer]):
    """Layers as a list that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{field.name.replace('_', ' ')}</th>" for field in fields(Layer))
        body = "".join(f"<tr>{''.join(map(_cell, astuple(layer)))}</tr>" for layer in self)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    text = "x".join(map(str, value)) if isinstance(value, tuple) else f"{value:,}" if isinstance(value, int) else value
    return f"<td>{escape(str(text if text is not None else 'unknown'))}</td>"


def layers(model: Any, variables: VariablesLike, image_shape: Any, *, call: Call = NOTHING) -> Layers:
    """Every layer of the model in order of execution, for images of a shape such as (h, w, c); nothing is computed.

    Of several inputs, `image_shape` is the same dict, tuple or list with a shape for each, or an array of one row, if
    it is not float32. A layer is a module's output, named by the module's path, or a value that the model sows; a
    module that is called twice gives `name@0` and `name@1`. All other functions return layers in this order.
    """
    variables, image = as_variables(variables), one_image(image_shape)
    traced = trace(model, variables, with_rows(image, 2), call_for(call, 2))
    fields = _fields(traced)
    counts = parameter_counts(variables)
    rows = []
    for name, value in traced.values.items():
        shape = tuple(n for axis, n in enumerate(value.shape) if axis != traced.axes[name])
        own = counts.pop(name.split("@")[0], 0)  # a second call adds no parameters
        rows.append(Layer(name, traced.kinds[name], shape, own, fields.get(value)))
    if len(rows) == 1:  # a model of one layer: its parameters have no path
        rows = [replace(rows[0], parameters=rows[0].parameters + sum(counts.values()))]
    return Layers(rows)


def _fields(traced: Trace) -> dict[Value, tuple[int, ...]]:
    """The receptive field of each value, in the first of the inputs that it depends on."""
    fields: dict[Value, tuple[int, ...]] = {}
    for image in reversed(list(traced.images.values())):
        sides = range(1, len(image.shape) - 1) or range(1, len(image.shape))  # a vector's features are its one side
        fields.update(receptive_fields(traced.graph, image, tuple(sides)))
    return fields
