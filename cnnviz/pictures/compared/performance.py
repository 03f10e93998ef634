"""How right each network is on the same images, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnnviz.batching import Report
from cnnviz.figures.table import table
from cnnviz.networks import Net
from cnnviz.networks.measures import interval
from cnnviz.pictures.compared.shared import shared
from cnnviz.pictures.picture import Data, Kind, Picture, split_of
from cnnviz.pictures.predictions import predict

HEADER = ("network", "images", "accuracy", "95% interval")


@dataclass(frozen=True)
class Performance(Kind):
    """Accuracy of every network on the same images, with a 95% interval."""

    split: str = "test"
    """The split whose images are shown: train or test."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One table; raises Skipped if there is no data set that a network can take."""
        able, dataset, left_out = shared(networks, data)
        part = split_of(dataset, self.split)
        rows = []
        for net in able:
            said = predict(net.first, part.images, report).argmax(axis=1)
            right, count = int(np.sum(said == part.labels)), len(part.labels)
            low, high = interval(right, count)
            rows.append(dict(zip(HEADER, (net.name, count, right / count, f"{low:.4f} to {high:.4f}"), strict=True)))
        title = f"Accuracy on the {self.split} images of {dataset.title}"
        words = [tuple(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values()) for row in rows]
        draw = partial(table, HEADER, words, numeric=(1, 2, 3), title=title, total=False)
        caption = f"Intervals are Wilson's, over images.{left_out}"
        return [Picture("performance", title, caption, rows, draw, {"dataset": dataset.name}, table=rows)]
