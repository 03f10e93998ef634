"""The layer table: what a network is made of, in order of execution."""

from collections.abc import Sequence
from functools import partial

from cnnviz.figures.table import table
from cnnviz.kernels import parameter_count
from cnnviz.pictures.picture import Picture, View, asked_layer, size
from cnnviz.probe import Layer
from cnnviz.runs import Run

HEADER = ("layer", "kind", "output shape", "parameters", "receptive field")
FIELDS = ("layer", "kind", "shape", "parameters", "receptive_field")


def pictures(run: Run, view: View) -> list[Picture]:
    """The table of all layers, or of the one that the view names, with the whole model's parameters below."""
    asked = asked_layer(run, view)
    layers = [asked] if asked else run.layers
    total = parameter_count(run.variables)
    title = f"{run.title}: layers for images of {size(run.image_shape)}, {total:,} parameters"
    caption = (
        "Output shape of one image as height x width x channels; the receptive field is the height x width of the "
        "pixels that one value can depend on."
    )
    draw = partial(table, HEADER, rows(layers, total), numeric=(3, 4), title=title)
    return [Picture("layers", title, caption, records(layers, total), draw)]


def rows(layers: Sequence[Layer], total: int) -> list[tuple[str, ...]]:
    """The table as text, its last row the model's parameters."""
    field = lambda layer: size(layer.receptive_field) if layer.receptive_field else "unknown"
    words = [(l.name, l.kind, size(l.shape), f"{l.parameters:,}", field(l)) for l in layers]
    return [*words, ("total", "", "", f"{total:,}", "")]


def records(layers: Sequence[Layer], total: int) -> list[dict[str, str | int]]:
    """The table as flat records, with sizes as a program reads them: 28x28x32."""
    found = [(l.name, l.kind, size(l.shape), l.parameters, size(l.receptive_field or ())) for l in layers]
    return [dict(zip(FIELDS, record, strict=True)) for record in [*found, ("total", "", "", total, "")]]
