"""From one layer to the next: which units feed a unit and which it feeds, by their kernels and by what flows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cnnviz.batching import Report
from cnnviz.probe import NOTHING, Call, Reader
from cnnviz.probe.inputs import Prepare
from cnnviz.probe.outputs import OutputName
from cnnviz.types import PyTree, VariablesLike
from cnnviz.units.layer import check_unit
from cnnviz.units.links import Link, links_of, mean_inputs


@dataclass(frozen=True)
class Edges:
    """The m edges between one unit and those of a layer before it or after it.

    `kernels` `[m *window]` are the weights on each edge, those of BatchNorm taken in: of a convolution a small image,
    of a dense layer one weight per place of the map. `weights` are their sums, `norms` their Euclidean norms, and
    `flows` are weight times mean activation: what the edge adds to the target on average over images and places.
    """

    source: str
    target: str
    units: Int[np.ndarray, " m"]
    kernels: Float[np.ndarray, "m *window"]
    flows: Float[np.ndarray, " m"]

    @property
    def weights(self) -> Float[np.ndarray, " m"]:
        """The sum of each kernel, with its sign."""
        return self.kernels.reshape(len(self.units), -1).sum(1)

    @property
    def norms(self) -> Float[np.ndarray, " m"]:
        """The Euclidean norm of each kernel."""
        return np.sqrt(np.square(self.kernels.reshape(len(self.units), -1).astype(np.float64)).sum(1))

    @property
    def by_weight(self) -> Int[np.ndarray, " m"]:
        """Places of the edges, the largest norm first."""
        return np.argsort(-self.norms, kind="stable")

    @property
    def by_flow(self) -> Int[np.ndarray, " m"]:
        """Places of the edges, the largest flow of either sign first."""
        return np.argsort(-np.abs(self.flows), kind="stable")


@dataclass(frozen=True)
class Connections:
    """The edges of one unit: those that feed it, and those that it feeds, for each layer that reads it with weights."""

    layer: str
    unit: int
    feeding: tuple[Edges, ...]
    fed: tuple[Edges, ...]

    def table(self, most: int | None = None) -> list[dict[str, object]]:
        """One record per edge, by flow, at most `most` of each layer."""
        rows = []
        for way, edges in [("feeds it", each) for each in self.feeding] + [("fed by it", each) for each in self.fed]:
            other = edges.source if way == "feeds it" else edges.target
            for i in edges.by_flow[:most]:
                row = {"edge": way, "layer": other, "unit": int(edges.units[i]), "weight": float(edges.weights[i])}
                rows.append(row | {"norm": float(edges.norms[i]), "weight x mean": float(edges.flows[i])})
        return rows


def connections(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layer: Any,
    unit: int,
    *,
    prepare: Prepare = None,
    output: OutputName = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> Connections:
    """The units that feed one unit of a layer and those that it feeds, with mean activations over `images`.

    A unit is fed through the convolution or dense layer that its value comes from by functions of one channel (a bias,
    BatchNorm, a ReLU, pooling), and feeds those that read it in the same way. Sums without weights, as of a residual
    block, are not edges. Raises InputError for a unit or layer that does not exist.
    """
    reader = Reader(model, variables, layer, prepare=prepare, call=call, output=output)
    found = links_of(reader, images)
    check_unit(found.layer, unit, found.count)
    means = mean_inputs(found, images, batch_size, report)
    feeding = [_edges(link, means[link.node], unit, fed=False) for link in found.before]
    fed = [_edges(link, means[link.node], unit, fed=True) for link in found.after]
    return Connections(found.layer, unit, tuple(feeding), tuple(fed))


def _edges(link: Link, mean: np.ndarray, unit: int, *, fed: bool) -> Edges:
    """The edges of one unit in a link, whose kernels are `[*window i o]`."""
    kernels, flows = link.kernels, link.flows(mean)
    own = np.moveaxis(kernels[..., unit, :] if fed else kernels[..., unit], -1, 0)
    units = np.arange(len(own))
    return Edges(link.source, link.target, units, own, flows[unit] if fed else flows[:, unit])
