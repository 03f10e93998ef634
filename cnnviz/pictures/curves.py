"""Loss and accuracy during training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev

import numpy as np
from jaxtyping import Float

from cnnviz.batching import Report
from cnnviz.errors.wording import counted
from cnnviz.figures.curves import curves
from cnnviz.networks import Net
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped
from cnnviz.training.members import Record, best, by_seed


@dataclass(frozen=True)
class Curves(Kind):
    """Loss and accuracy by epoch, on training and validation data; of several seeds means and deviations."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture per network; raises Skipped if a network has no training history."""
        return [curves_picture(net) for net in networks]


def curves_picture(net: Net) -> Picture:
    """Loss and accuracy of a network with its best epoch marked; of several members the means, with bands.

    Raises Skipped if the network has no training history.
    """
    if not net.history:
        raise Skipped(f"{net.name} has no history of its training, so there are no curves to draw.")
    networks = by_seed([dict(record) for record in net.history])
    epochs = np.arange(1, 1 + max(map(len, networks)))
    lines = lambda measure: {
        "train": column(networks, f"train_{measure}"),
        "validation": column(networks, f"val_{measure}"),
    }
    panels = {measure: lines(measure) for measure in ("loss", "accuracy")}
    marked = int(best(networks[0])["epoch"]) if len(networks) == 1 else None
    title = f"{net.title}: loss and accuracy over {counted(len(epochs), 'epoch')}"
    draw = partial(curves, panels, epochs, best=marked, title=title)
    caption, records = _caption([best(own) for own in networks]), [dict(record) for record in net.history]
    return Picture("curves", title, caption, records, draw, {"network": net.name})


def _caption(kept: Sequence[Record]) -> str:
    if len(kept) == 1:
        return (
            f"The dotted line marks epoch {kept[0]['epoch']}, whose validation loss, {kept[0]['val_loss']:.4f}, is the "
            f"least; its validation accuracy is {kept[0]['val_accuracy']:.4f}, and its weights are those kept."
        )
    each = ", ".join(str(record["epoch"]) for record in kept)
    accuracies = [record["val_accuracy"] for record in kept]
    return (
        f"Lines are means over {len(kept)} networks that differ in their seed, bands one standard deviation. The best "
        f"epoch of each: {each}; their validation accuracy there: {fmean(accuracies):.4f} ± {stdev(accuracies):.4f}."
    )


def column(networks: Sequence[Sequence[Record]], name: str) -> Float[np.ndarray, "networks epochs"]:
    """One measure of every record, one row per network; NaN after a network's last epoch."""
    found = np.full((len(networks), max(map(len, networks))), np.nan)
    for row, own in zip(found, networks, strict=True):
        row[: len(own)] = [record.get(name, np.nan) for record in own]
    return found
