"""Loss and accuracy of several networks during training, aligned by the images that each had seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from cnnviz.batching import Report
from cnnviz.figures.aligned import aligned
from cnnviz.networks import Net
from cnnviz.pictures.curves import column
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped
from cnnviz.training.members import Record, by_seed

PANELS = {"val_loss": "validation loss", "val_accuracy": "validation accuracy"}


@dataclass(frozen=True)
class Training(Kind):
    """Validation loss and accuracy over the images seen, one line per network."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture; raises Skipped if no network has a history of its training."""
        known = [net for net in networks if net.history and _batch_size(net)]
        if not known:
            raise Skipped("No network has a history of its training.")
        able = [net for i, net in enumerate(known) if not any(_is_of_one(net, other) for other in known[:i])]
        every = {net.name: by_seed([dict(record) for record in net.history]) for net in able}
        seen = {net.name: _seen(every[net.name]) * _batch_size(net) for net in able}
        panels = {
            label: {name: (seen[name], column(own, measure)) for name, own in every.items()}
            for measure, label in PANELS.items()
        }
        title = f"Training of {' and '.join(net.title for net in able)}, by images seen"
        records = [
            {"network": net.name, "images_seen": int(record["step"]) * _batch_size(net), **record}
            for net in able
            for record in net.history
        ]
        draw = partial(aligned, panels, title=title)
        return [Picture("training", title, _caption(able, networks, every), records, draw, {"networks": list(every)})]


def _caption(able: Sequence[Net], networks: Sequence[Net], every: Mapping[str, Sequence[Any]]) -> str:
    banded = [name for name, own in every.items() if len(own) > 1]
    alone = [name for name, own in every.items() if len(own) == 1]
    text = "On the validation images after each epoch, over the number of training images seen until then."
    if banded:
        text += f" Lines of {', '.join(banded)} are means over seeds, bands one standard deviation."
    if alone:
        text += f" Of one seed, so without a band: {', '.join(alone)}."
    if others := [net.name for net in networks if not (net.history and _batch_size(net))]:
        text += f" Without a history: {', '.join(others)}."
    drawn = {id(net) for net in able}
    if again := [net.name for net in networks if id(net) not in drawn and net.name not in others]:
        text += f" Of a training that is drawn already: {', '.join(again)}."
    return text


def _is_of_one(net: Net, other: Net) -> bool:
    """Whether both are of one training, such as two of its steps."""
    return net.path is not None and net.path == other.path and net.seeds == other.seeds


def _batch_size(net: Net) -> int:
    config: Mapping[str, Any] = getattr(net, "config", {})
    return int(config["recipe"]["batch_size"]) if config else 0


def _seen(own: Sequence[Sequence[Record]]) -> Float[np.ndarray, " records"]:
    """The steps of the records, of the member that has the most."""
    return np.array([float(record["step"]) for record in max(own, key=len)])
