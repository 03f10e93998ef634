"""The distribution of a layer's weights, trained and untrained."""

from dataclasses import dataclass
from functools import partial

from cnnviz.figures.histogram import bin_edges, counts, histograms
from cnnviz.networks import Net
from cnnviz.pictures.finite import missing_weights
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import Data, OneByOne, Picture
from cnnviz.pictures.weights import pair, summary, weighted_layer


@dataclass(frozen=True)
class Histograms(OfLayer, OneByOne):
    """The weights of the first convolution or of a layer: two histograms on the same bins and axes."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """One picture; raises Skipped if the layer has no weights."""
        layer = weighted_layer(net, self.layer)
        weights = pair(net, layer)
        edges = bin_edges(weights)
        title = f"{net.title}, {layer}: {weights['trained'].size:,} weights, {' and '.join(weights)}"
        both = "Both on the same" if len(weights) > 1 else "On"
        caption = f"{summary(weights).capitalize()}. {both} {len(edges) - 1} bins.{missing_weights(weights)}"
        columns = {"from": edges[:-1], "to": edges[1:], **counts(weights, edges)}
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        draw = partial(histograms, weights, title=title)
        subject = {"network": net.name, "layer": layer}
        return [Picture(f"histogram_{layer}", title, caption, records, draw, subject)]
