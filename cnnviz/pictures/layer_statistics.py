"""The layer table with what each layer's units do over a data set, and with what the layer costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.batching import Report, part
from cnnviz.figures.scales import in_digits
from cnnviz.figures.style import shortened
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Picture, size, split_of
from cnnviz.pictures.table_slides import tabular
from cnnviz.probe import Layer
from cnnviz.probe.costs import Cost, costs
from cnnviz.units import LayerStatistics, statistics

WORDS = "layer", "output shape", "parameters", "dead units", "zeros", "mean", "deviation", "FLOPs", "bytes", "µs"
HEADER: tuple[str, ...] = WORDS
NUMERIC = range(2, len(HEADER))  # columns
MOST_ROWS, LONGEST = 60, 40  # of the drawn table
MEASURED, PASSES = 64, 3  # images that times are measured with, and about how many passes statistics take
Statistics = Mapping[str, LayerStatistics]
Costs = Mapping[str, Cost]
UNITS = ("", "k", "M", "G", "T", "P")


@dataclass(frozen=True)
class Found:
    """What is known of a row of the table: that of all layers inside it is added up, its values are the last one's."""

    layer: Layer
    units: LayerStatistics | None
    cost: Cost

    @property
    def dead(self) -> str:
        """How many units are dead."""
        return f"{int(self.units.dead.sum()):,}" if self.units is not None else ""

    @property
    def moments(self) -> tuple[float, float, float]:
        """The fraction of zeros, the mean and the deviation of all the layer's values; NaN if it has no units."""
        if self.units is None:
            return np.nan, np.nan, np.nan
        mean = float(self.units.mean.mean())
        variance = np.square(self.units.deviation).mean() + np.square(self.units.mean - mean).mean()
        return self.units.sparsity, mean, float(np.sqrt(variance))

    @property
    def cells(self) -> tuple[str, ...]:
        """The drawn row."""
        l, cost = self.layer, self.cost
        zeros, mean, deviation = self.moments
        known = (f"{100 * zeros:.1f}%", in_digits(mean), in_digits(deviation)) if self.units is not None else ("",) * 3
        spent = (scaled(cost.flops), scaled(cost.bytes), f"{1e6 * cost.seconds:.1f}")
        return (shortened(l.name, LONGEST), size(l.shape), f"{l.parameters:,}", self.dead, *known, *spent)

    @property
    def record(self) -> dict[str, Any]:
        """The row with all digits."""
        zeros, mean, deviation = self.moments
        dead = int(self.units.dead.sum()) if self.units is not None else 0
        always = int(self.units.always_on.sum()) if self.units is not None else 0
        row = {"units": self.layer.shape[-1] if self.layer.shape else 0, "dead_units": dead, "always_on_units": always}
        row |= {"zero_fraction": zeros, "mean": mean, "deviation": deviation}
        return row | {"flops": self.cost.flops, "bytes": self.cost.bytes, "seconds": self.cost.seconds}


def measured(
    net: Net, data: Data, split: str, rows: Sequence[Layer], total: int, records: Any, report: Report | None
) -> Picture:
    """The table of these rows, over as many images of the split as can be had; `records` has the plain table's.

    Raises Skipped if there is no data set.
    """
    dataset = data.of(net)
    images = split_of(dataset, split).images
    images = images[: affordable(net, len(images), PASSES)]
    named: Any = {"prepare": net.prepare, "report": part(report, 0, 2, "statistics")}
    known = statistics(net.model, net.variables, images, **named)
    spent = costs(
        net.model, net.variables, np.asarray(net.prepare(images[:MEASURED])), report=part(report, 1, 2, "time")
    )
    words = drawn([found_of(row, net.layers, known, spent).cells for row in rows])
    words.append(_total(total, spent))
    title = f"{net.title}: what the units of each layer do, and what the layer costs"
    printed: list[dict[str, object]] = [dict(zip(HEADER, row, strict=True)) for row in words]
    by_name = {row.name: found_of(row, net.layers, known, spent).record for row in net.layers}
    numbers = [{**record, **by_name.get(record["layer"], {})} for record in records]
    caption = said(dataset.title, split, len(images), min(MEASURED, len(images)))
    subject = {"network": net.name, "dataset": dataset.name, "split": split}
    about = "layers_statistics", title, caption, numbers, subject
    return tabular(*about, HEADER, words, numeric=NUMERIC, table=printed)


def drawn(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows that are drawn: without those in the middle if there are too many."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    more = f"… {len(rows) - MOST_ROWS:,} more", *[""] * (len(HEADER) - 1)
    return [*rows[: MOST_ROWS // 2], more, *rows[-MOST_ROWS // 2 :]]


def found_of(row: Layer, every: Sequence[Layer], known: Statistics, spent: Costs) -> Found:
    """What is known of a row; one that has layers folded into it has the sums of their costs."""
    inside = [l.name for l in every if l.name == row.name or (row.folded and l.name.startswith(f"{row.name}/"))]
    value = row.name if row.name in known else next((name for name in reversed(inside) if name in known), "")
    own = [spent[name] for name in inside if name in spent]
    bytes = spent[row.name].bytes if row.name in spent else own[-1].bytes if own else 0
    cost = Cost(sum(each.flops for each in own), bytes, sum(each.seconds for each in own))
    return Found(row, known.get(value), cost)


def _total(parameters: int, spent: Costs) -> tuple[str, ...]:
    every = list(spent.values())
    sums = scaled(sum(each.flops for each in every)), scaled(sum(each.bytes for each in every))
    seconds = sum(each.seconds for each in every)
    return ("total", "", f"{parameters:,}", "", "", "", "", *sums, f"{1e6 * seconds:.1f}")


def scaled(number: int) -> str:
    """A count in three digits: 14.5 M."""
    power = 0
    value = float(number)
    while value >= 999.5 and power < len(UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {UNITS[power]}".strip() if power else f"{number:,}"


def said(title: str, split: str, count: int, chunk: int) -> str:
    """The caption."""
    return (
        f"Over {count:,} {split} images of {title}. A unit (an index of the last axis) is dead if zero everywhere; "
        "zeros, mean and deviation are of all values of the layer. FLOPs and bytes are those of one image: two "
        "operations for each multiplication of a convolution or dense layer, and the bytes of the layer's output. "
        f"µs are microseconds per image, with {chunk} images at once, of each layer's operations by themselves; the "
        "complete network shares work and takes less than the total."
    )
