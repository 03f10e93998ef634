"""Films of a layer's weights: its kernels, and their histogram."""

from typing import Any

import numpy as np

from cnnviz import kernels as weights_of
from cnnviz.batching import Report
from cnnviz.figures.filmstrip import filmstrip, histogram_strip
from cnnviz.figures.histogram import Histogram, shared_edges
from cnnviz.figures.montage import map_columns
from cnnviz.figures.scales import scale_of, symmetric
from cnnviz.networks import Net
from cnnviz.pictures.filmed.reel import framed, reel
from cnnviz.pictures.finite import missing
from cnnviz.pictures.kernel_maps import arrange, as_filters, strongest
from cnnviz.pictures.kernels import AXES
from cnnviz.pictures.picture import Data, Picture, Skipped
from cnnviz.pictures.steps import Steps
from cnnviz.pictures.weights import weighted_layer


def kernels(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """The kernels of a layer at each step, on the scale of all steps; raises Skipped where they are no maps."""
    layer = weighted_layer(net, asked.layer)
    weights = _weights(steps, layer)
    filters = [as_filters(each, layer, net.image_shape) for each in weights]
    kept = strongest(filters[-1])
    plans = [arrange(each, kept) for each in filters]
    if plans[0].maps.ndim == 2:
        raise Skipped(f"The kernels of {layer} are curves; a film is of maps.")
    maps, plan, scale = np.stack([each.maps for each in plans]), plans[0], symmetric(scale_of(*weights).high)
    title = f"{net.title}, {layer}: {plan.what}, over training"
    caption = f"Weights on one scale for all steps, from {-scale.high:g} to {scale.high:g}; "
    caption += f"{scale.outside(maps):,} of {maps.size:,} are clipped to its ends.{missing('weights', weights)}"
    draw = lambda places, begun: filmstrip(
        framed(steps, places, maps, begun), scale, columns=_columns(plan.columns, len(plan.maps)),
        title=title, label="weight",
    )  # fmt: skip
    numbers = {"steps": np.array(steps.steps), "weights": weights}
    axes = {"steps": ("step",), "weights": ("step", *AXES[weights.ndim - 1])}
    return reel(
        asked, net, steps, f"kernels_{layer}", title, caption, numbers, draw, subject={"layer": layer}, axes=axes
    )


def histograms(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """The histogram of a layer's weights at each step, in the same bins."""
    layer = weighted_layer(net, asked.layer)
    weights = _weights(steps, layer)
    edges = shared_edges({name: each for name, each in zip(steps.names, weights, strict=True)})
    found = [Histogram(*np.histogram(each[np.isfinite(each)], edges)) for each in weights]
    density = np.stack([each.density for each in found])
    title = f"{net.title}, {layer}: {weights[0].size:,} weights over training"
    caption = f"As densities in the same {len(edges) - 1} bins, on one scale.{missing('weights', weights)}"
    draw = lambda places, begun: histogram_strip(
        framed(steps, places, density, begun), edges, float(density.max()), title=title, label="weight"
    )
    records = [
        {"step": step, "from": float(edges[i]), "to": float(edges[i + 1]), "count": int(each.counts[i]),
         "density": float(each.density[i])}
        for step, each in zip(steps.steps, found, strict=True)
        for i in range(len(each.counts))
    ]  # fmt: skip
    return reel(asked, net, steps, f"histograms_{layer}", title, caption, records, draw, subject={"layer": layer})


def _weights(steps: Steps, layer: str) -> np.ndarray:
    return np.stack([np.asarray(weights_of.weights(net.variables)[layer], np.float32) for net in steps.nets])


def _columns(planned: int, count: int) -> int:
    """How many maps are in a row, so that a frame is about square; as planned where rows are inputs."""
    return planned if planned**2 <= 2 * count else map_columns(count)
