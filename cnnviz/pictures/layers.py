"""The table of a network's layers, in order of execution."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnnviz.batching import Report
from cnnviz.errors.wording import counted
from cnnviz.figures.style import shortened
from cnnviz.kernels import parameter_count
from cnnviz.networks import Net
from cnnviz.pictures.layer_statistics import measured
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import NAMES, Data, Kind, Picture, inputs_in_words, size
from cnnviz.pictures.table_slides import tabular
from cnnviz.probe import Layer
from cnnviz.probe.table import folded

HEADER: tuple[str, ...] = ("layer", "kind", "output shape", "parameters", "receptive field", "number")
NUMERIC = 3, 4, 5  # columns
MOST_ROWS, LONGEST = 60, 60  # of the drawn table; all layers, with their full names, are in the numbers
FIELDS = ("layer", "kind", "shape", "parameters", "receptive_field")


@dataclass(frozen=True)
class Layers(OfLayer, Kind):
    """The table of all layers, or of some, with the model's parameter count in the last row."""

    NAMED: ClassVar[frozenset[str]] = frozenset(("split", "statistics"))

    depth: int | None = None
    """Fold what is inside more modules than this; by default what makes the table longer than 60 rows."""
    statistics: bool = False
    """Add dead units, zeros, mean and deviation over a data set, and each layer's FLOPs, bytes and measured time."""
    split: str = "test"
    """With --statistics: the split whose images are shown to the network, train or test."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture per network, of several members the first one's."""
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """One picture; raises InputError if there is no such layer or the depth is not a positive integer.

        With statistics, raises Skipped if there is no data set.
        """
        every = net.layers if self.layer is None else net.find(self.layer)
        layers = legible(every) if self.depth is None else folded(every, self.depth)
        total = parameter_count(net.variables)
        if self.statistics:
            return [measured(net, data, self.split, layers, total, records(every, total), report)]
        shown_to = f"images of {size(net.image_shape)}" if net.inputs is None else inputs_in_words(net)
        title = f"{net.title}: layers for {shown_to}, {total:,} parameters"
        sides = " x ".join(NAMES.get(len(net.image_shape) - 1, ()))
        caption = (
            f"Output shape of one image as {sides} x channels; the receptive field is the {sides} of the pixels that "
            "one value can depend on."
            if sides
            else "Output shape of one vector; the receptive field is the number of features that a value can depend on."
        )
        if counts := [layer.folded for layer in layers if layer.folded]:
            are, rows_of = (
                ("are", "their rows") if len(counts) > 1 else ("is" if sum(counts) == 1 else "are", "its row")
            )
            inside = f"{counted(sum(counts), 'layer')} inside {counted(len(counts), 'module')}"
            caption += f" {inside} {are} in {rows_of}; --depth lists them."
        if len(layers) > MOST_ROWS:
            caption += f" Drawn are the first and the last {MOST_ROWS // 2} of {len(layers):,} layers."
        if any(len(text) > LONGEST for layer in layers for text in (layer.name, layer.kind)):
            caption += f" Names of more than {LONGEST} characters are shortened in the middle."
        shown = rows(layers, total, [layer.name for layer in net.layers])
        printed = [dict(zip(HEADER, row, strict=True)) for row in shown]
        about = "layers", title, caption, records(every, total), {"network": net.name}
        return [tabular(*about, HEADER, shown, numeric=NUMERIC, table=printed)]


def legible(layers: Sequence[Layer]) -> Sequence[Layer]:
    """The layers, or if they are too many to draw the most that are not when what modules contain is folded."""
    depths = range(max((layer.depth for layer in layers), default=0) + 1, 0, -1)
    tables = (folded(layers, depth) for depth in depths)
    return next((table for table in tables if len(table) <= MOST_ROWS), folded(layers, 1) if layers else layers)


def rows(layers: Sequence[Layer], total: int, names: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """The table as text, without the layers in the middle if there are too many to draw.

    A layer's number, by which it can be asked for, is its place among all `names`. The last row is the model's
    parameter count.
    """
    numbers = {name: str(i) for i, name in enumerate(names)}
    field = lambda layer: size(layer.receptive_field) if layer.receptive_field else "unknown"
    kept = [*layers[: MOST_ROWS // 2], *layers[-MOST_ROWS // 2 :]] if len(layers) > MOST_ROWS else layers
    name, number = lambda text: shortened(text, LONGEST), lambda layer: numbers.get(layer.name, "")
    words = [(name(l.name), name(l.kind), size(l.shape), f"{l.parameters:,}", field(l), number(l)) for l in kept]
    if len(kept) < len(layers):
        words.insert(MOST_ROWS // 2, (f"… {len(layers) - len(kept):,} more", "", "", "", "", ""))
    return [*words, ("total", "", "", f"{total:,}", "", "")]


def records(layers: Sequence[Layer], total: int) -> list[dict[str, str | int]]:
    """The table as flat records; sizes are written as 28x28x32."""
    found = [(l.name, l.kind, size(l.shape), l.parameters, size(l.receptive_field or ())) for l in layers]
    return [dict(zip(FIELDS, record, strict=True)) for record in [*found, ("total", "", "", total, "")]]
