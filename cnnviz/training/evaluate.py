"""Mean loss and accuracy of a network over rows of a data set."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.batching import fold_rows
from cnnviz.probe import batch_logits
from cnnviz.training.feed import Batches, Feed
from cnnviz.training.state import Totals
from cnnviz.types import Array, Variables

ROWS = 500  # per chunk


def make_evaluate(model: Any, prepare: Callable[[Array], Array]) -> Callable:
    """`evaluate(variables, feed, rows) -> (mean loss, accuracy)`, over these rows `[n]` and in evaluation mode."""

    @jax.jit
    @jax.default_matmul_precision("float32")
    def add(totals: Totals, variables: Variables, batches: Batches, mask: Array) -> Totals:
        images, labels = batches.at(0)
        return totals.add(batch_logits(model, variables, prepare(images)), labels, mask)

    def evaluate(variables: Variables, feed: Feed, rows: Int[np.ndarray, " n"]) -> tuple[float, float]:
        step = lambda variables, totals, chunk, mask: add(totals, variables, feed(chunk[None]), mask)
        return fold_rows(step, variables, Totals.zero(), rows, batch_size=ROWS, multiple=feed.mesh.size).means()

    return evaluate
