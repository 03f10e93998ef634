"""The loss and the accuracy at each step, on images that the network was not trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnnviz.batching import Report, evenly_spaced, part
from cnnviz.comparison.answers import answers
from cnnviz.comparison.classes import matched
from cnnviz.errors import OptionError
from cnnviz.errors.wording import counted
from cnnviz.figures.over_steps import over_steps
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.filmed.reel import reel
from cnnviz.pictures.picture import Data, Picture, Skipped, split_of
from cnnviz.pictures.steps import Steps


def loss(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """Cross-entropy and accuracy at each step; raises Skipped if the network does not know the data set's classes."""
    dataset = data.of(net)
    found = matched(net.name, net.classes, net.class_count, dataset.classes)
    split = split_of(dataset, asked.split)
    known = np.flatnonzero((found.outputs >= 0)[split.labels])
    if not len(known) or net.class_count < 2:
        raise Skipped(f"{net.name} does not know the classes of {dataset.title}, so it has no loss there.")
    if asked.among < 1:
        raise OptionError(f"among must be at least 1 image to measure the loss on; it was {asked.among}.")
    count = min(asked.among, affordable(net, len(known), len(steps.nets)))
    known = known[evenly_spaced(len(known), count)]
    losses, right = [], []
    for place, own in enumerate(steps.nets):
        told = part(report, place, len(steps.nets), f"step {steps.names[place]}")
        said = answers(own, split.images[known], split.labels[known], found, told)
        losses.append(float(said.loss.mean()))
        right.append(float(said.right.mean()))
    panels = {"loss": np.array(losses), "accuracy": np.array(right)}
    title = f"{net.title}: loss and accuracy over training"

    def draw(places: Sequence[int], begun: str) -> Figure:
        head = f"{title}; step {steps.names[places[0]]}" if begun else title
        return over_steps(panels, steps.steps, shown=places[0] + 1 if begun else None, title=head)

    records = [
        {"step": step, "loss": one, "accuracy": share}
        for step, one, share in zip(steps.steps, losses, right, strict=True)
    ]
    caption = f"Cross-entropy in nats and accuracy of {counted(len(known), f'{asked.split} image')} of {dataset.title}."
    return reel(asked, net, steps, "loss", title, caption, records, draw, table=records, is_chart=True)
