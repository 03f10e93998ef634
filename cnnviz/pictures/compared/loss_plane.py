"""The loss over the plane through two networks and the second one with its units matched to the first one's."""

from functools import partial

import numpy as np

from cnnviz.comparison.alignment import Aligned
from cnnviz.comparison.connectivity import Places
from cnnviz.comparison.plane import plane
from cnnviz.data import Dataset
from cnnviz.figures.landscape import landscape
from cnnviz.pictures.compared.pairs import Pair
from cnnviz.pictures.picture import Picture

SIDE, BEYOND = 13, 0.35  # networks along a side, and how far the plane goes beyond those that it goes through


def loss_plane(pair: Pair, its: Aligned, place: Places, dataset: Dataset, split: str) -> Picture:
    """The mean loss of the images of `place` at each of 13 x 13 places of the plane."""
    through = plane(pair.one.variables, pair.other.variables, its.variables)
    ends = (-BEYOND, max(1.0, through.third[1]) + BEYOND) if through.third else (-0.5, 0.5)
    x, y = np.linspace(-BEYOND, 1 + BEYOND, SIDE), np.linspace(*ends, SIDE)
    loss = place.of(through.grid(x, y), SIDE**2).loss.mean(1).reshape(SIDE, SIDE)
    networks = {"A": (0.0, 0.0), "B": (1.0, 0.0)} | ({"B matched": through.third} if through.third else {})
    caption = (
        f"Mean loss of {len(place.labels):,} {split} images over a plane in the space of parameters; the unit is the "
        f"distance between A, {pair.one.name}, and B, {pair.other.name}."
    )
    caption += (
        " The plane goes through both and through B with its units matched to those of A."
        if through.third
        else " The units stay where they are, so the second direction is a random one."
    )
    title = f"Loss around {pair.name}, {dataset.title}"
    draw = partial(landscape, x, y, loss, networks, axes=("from A to B", "across"), title=title)
    subject = {"networks": [pair.one.name, pair.other.name], "dataset": dataset.name}
    numbers = {"x": x, "y": y, "loss": loss}
    return Picture("path_surface", title, caption, numbers, draw, subject, {"loss": ("y", "x")})
