"""How well a linear function of each layer tells the classes apart: accuracy over depth, on images held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from cnnviz import units
from cnnviz.batching import Report, part
from cnnviz.data import Dataset
from cnnviz.errors import OptionError
from cnnviz.figures.depth import Line, depth
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Kind, Picture, size
from cnnviz.pictures.predictions import predict

TRAINED, UNTRAINED = "trained network", "before training"


@dataclass(frozen=True)
class ProbeAccuracy(Kind):
    """The accuracy of a linear probe of each layer, as a curve over depth: probe-accuracy RUN."""

    NAMED: ClassVar[frozenset[str]] = frozenset()

    layer: str | None = None
    """Probe these layers alone: by name (conv1,relu1), pattern (conv*), kind (kind:relu) or number (0,-1)."""
    fit: int = 10_000
    """How many training images the probes are fitted to; they are measured on the test images."""
    untrained: bool = False
    """Also probe the network before its training."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture per network, of several members the first one's; raises Skipped without a data set."""
        return [self.of(net.first, data, report) for net in networks]

    def of(self, net: Net, data: Data, report: Report | None = None) -> Picture:
        """The curve of one network; raises InputError as `units.linear_probes` does."""
        dataset = data.of(net)
        if self.fit < 2:
            raise OptionError(f"fit must be at least 2 images; it was {self.fit}.")
        found = {TRAINED: self.probes(net, net.variables, dataset, part(report, 0, 2))}
        if self.untrained:
            found[UNTRAINED] = self.probes(net, net.untrained, dataset, part(report, 1, 2))
        levels = reference(net, dataset, found[TRAINED][0].count)
        names = [each.layer for each in found[TRAINED]]
        lines = {name: line_of(probes) for name, probes in found.items()}
        title = f"{net.title}: accuracy of a linear probe of each layer"
        label = f"accuracy on {found[TRAINED][0].count:,} test images"
        draw = partial(depth, names, lines, levels, label=label, title=title)
        subject = {"network": net.name, "dataset": dataset.name, "split": "test"}
        rows = [row for name, probes in found.items() for row in records(name, probes)]
        printed = [printed_row(each) for each in found[TRAINED]]
        caption = said(self.fitted_to(net, dataset), found)
        return Picture("probe_accuracy", title, caption, rows, draw, subject, table=printed)

    def fitted_to(self, net: Net, dataset: Dataset) -> int:
        """How many training images the probes see."""
        return min(self.fit, affordable(net, len(dataset.train.images), 2))

    def probes(self, net: Net, variables: Any, dataset: Dataset, report: Report | None) -> list[units.LinearProbe]:
        """The probes of one set of variables."""
        count, test = self.fitted_to(net, dataset), dataset.test
        held = affordable(net, len(test.images), 2)
        known, truth = np.asarray(dataset.train.labels[:count]), np.asarray(test.labels[:held])
        return units.linear_probes(
            net.model,
            variables,
            dataset.train.images[:count],
            known,
            self.layer,
            held_out=(test.images[:held], truth),
            prepare=net.prepare,
            report=report,
        )


def reference(net: Net, dataset: Dataset, count: int) -> dict[str, float]:
    """What a probe's accuracy is compared with: the network's own, if its classes are the data set's, and chance."""
    labels = np.asarray(dataset.test.labels[:count])
    most = float(np.bincount(labels).max() / count)
    found = {"always the most frequent class": most}
    if net.class_count > 1 and (not net.classes or tuple(net.classes) == tuple(dataset.classes)):
        said = predict(net, dataset.test.images[:count]).argmax(1)
        found = {"the network itself": float((said == labels).mean()), **found}
    return found


def line_of(probes: Sequence[units.LinearProbe]) -> Line:
    """The accuracies with their intervals."""
    low, high = np.array([each.interval for each in probes]).T
    return Line(np.array([each.accuracy for each in probes]), low, high)


def printed_row(each: units.LinearProbe) -> dict[str, object]:
    """A layer as a row of the printed table."""
    low, high = each.interval
    row = {"layer": each.layer, "output shape": size(each.shape), "features": each.features}
    return row | {"accuracy": each.accuracy, "95% interval": f"{low:.4f} to {high:.4f}"}


def records(network: str, probes: Sequence[units.LinearProbe]) -> list[dict[str, object]]:
    """The probes with all digits."""
    rows = []
    for each in probes:
        low, high = each.interval
        row = {"network": network, "layer": each.layer, "shape": size(each.shape), "features": each.features}
        rows.append(
            row | {"right": each.right, "images": each.count, "accuracy": each.accuracy, "low": low, "high": high}
        )
    return rows


def said(count: int, found: dict[str, list[units.LinearProbe]]) -> str:
    """The caption."""
    fewer = any(each.features < np.prod(each.shape) for each in found[TRAINED])
    words = [
        "Each point is a linear classifier (ridge regression on the classes) of one layer's values, fitted to "
        f"{count:,} training images; bars are Wilson's 95% intervals over the test images."
    ]
    if fewer:
        words.append("Maps of more than 1,024 values are averaged over a coarser grid first.")
    if UNTRAINED in found:
        words.append("Where the curve before training is as high, the layer's shape explains it, not its training.")
    return " ".join(words)
