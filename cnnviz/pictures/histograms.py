"""The distribution of a layer's weights, trained and untrained."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cnnviz.figures.histogram import Histogram, histograms, own_histogram, shared_histograms
from cnnviz.networks import Net
from cnnviz.pictures.finite import missing_weights
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import Data, OneByOne, Picture
from cnnviz.pictures.weights import pair, rows, summary, tell_left_out, weighted_layers


@dataclass(frozen=True)
class Histograms(OfLayer, OneByOne):
    """The weights of the first convolution or of layers: each set in ten bins of its own, and both as densities."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """One picture per layer; raises Skipped if no layer has weights."""
        layers = weighted_layers(net, self.layer)
        tell_left_out(net, self.layer, layers, "kernel", data.note, "histograms")
        return [histogram_picture(net, layer) for layer in layers]


def histogram_picture(net: Net, layer: str) -> Picture:
    """The histograms of one layer's weights; the numbers have one record per set and bin."""
    weights = pair(net, layer)
    title = f"{net.title}, {layer}: {weights['trained'].size:,} weights, {' and '.join(weights)}"
    own = {kind: own_histogram(values) for kind, values in weights.items()}
    shared = shared_histograms(weights) if len(weights) > 1 else {}
    caption = f"{summary(weights).capitalize()}. Ten equal bins between each network's least and greatest weight"
    caption += ", and both as densities on bins fine enough for the narrower." if shared else "."
    records = [*_records("own", own), *_records("shared", shared)]
    counted = zip(rows({layer: weights}), own.values(), strict=True)
    table = [row | {"in ten bins": " ".join(map(str, histogram.counts))} for row, histogram in counted]
    return Picture(
        f"histogram_{layer}",
        title,
        caption + missing_weights(weights),
        records,
        partial(histograms, weights, title=title),
        {"network": net.name, "layer": layer},
        table=table,
    )


def _records(bins: str, found: Mapping[str, Histogram]) -> list[dict[str, Any]]:
    """Flat records of these histograms, each on its "own" bins or all on "shared" ones."""
    records = []
    for kind, histogram in found.items():
        start, end = histogram.edges[:-1], histogram.edges[1:]
        columns = {"from": start, "to": end, "count": histogram.counts, "density": histogram.density}
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        records += [{"weights": kind, "bins": bins} | dict(zip(columns, row, strict=True)) for row in rows]
    return records
