"""How a layer's weights are spread, trained against untrained."""

from functools import partial

from cnnviz.figures.histogram import bin_edges, counts, histograms
from cnnviz.pictures.picture import Picture, View
from cnnviz.pictures.weights import pair, summary, weighted_layer
from cnnviz.runs import Run


def pictures(run: Run, view: View) -> list[Picture]:
    """The first convolution's weights, or those of the view's layer: two histograms on the same bins and axes."""
    layer = weighted_layer(run, view)
    weights = pair(run, layer)
    edges = bin_edges(weights)
    title = f"{run.title}, {layer}: {weights['trained'].size:,} weights, trained and untrained"
    caption = f"{summary(weights).capitalize()}. Both on the same {len(edges) - 1} bins."
    found = counts(weights, edges)
    columns = {"from": edges[:-1], "to": edges[1:], **found}
    records = [
        dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]
    draw = partial(histograms, weights, title=title)
    return [Picture(f"histogram_{layer}", title, caption, records, draw)]
