"""Mean loss and accuracy of a network over rows of a data set."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.batching import chunks
from cnnviz.training.feed import Batches, Feed
from cnnviz.training.state import Totals
from cnnviz.types import Array, Variables

ROWS = 500  # in one chunk


def make_evaluate(model: Any, prepare: Callable[[Array], Array]) -> Callable:
    """`evaluate(variables, feed, rows) -> (mean loss, accuracy)`, over those rows and in evaluation mode."""

    @jax.jit
    def add(totals: Totals, variables: Variables, batches: Batches, mask: Array) -> Totals:
        images, labels = batches.at(0)
        return totals.add(model.apply(variables, prepare(images)), labels, mask)

    def evaluate(variables: Variables, feed: Feed, rows: Int[np.ndarray, " n"]) -> tuple[float, float]:
        devices = feed.mesh.size
        size = -(-min(ROWS, len(rows)) // devices) * devices  # the same share for every device
        totals = Totals.zero()
        for chunk in chunks(rows, size):
            padded = np.resize(chunk.rows, size)
            totals = add(totals, variables, feed(padded[None]), np.arange(size) < chunk.stop - chunk.start)
        return totals.means()

    return evaluate
