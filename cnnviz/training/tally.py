"""What a network gets right of a labelled set: loss, accuracy, the confusion of classes, and the likeliest few."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.batching import fold_rows
from cnnviz.probe import batch_logits
from cnnviz.training.evaluate import ROWS
from cnnviz.training.feed import Batches, Feed
from cnnviz.training.state import Totals
from cnnviz.types import Array, Labels, Logits, PyTree, Variables

TOP = 5


class Tally(flax.struct.PyTreeNode):
    """Sums over images: totals, `confusion` `[label, prediction]`, and labels among the TOP highest logits.

    Its accuracies are meant for a tally whose sums are complete.
    """

    totals: PyTree  # Totals
    confusion: PyTree  # int32 [k, k]
    among_top: PyTree  # int32 []

    @classmethod
    def zero(cls, classes: int) -> "Tally":
        """The sums over no images."""
        return cls(Totals.zero(), jnp.zeros((classes, classes), jnp.int32), jnp.zeros((), jnp.int32))

    def add(self, logits: Logits, labels: Labels, mask: Array) -> "Tally":
        """The sums with the rows of a batch where `mask`, bool `[n]`, is true."""
        _, highest = jax.lax.top_k(logits, min(TOP, logits.shape[-1]))
        among = (highest == labels[:, None]).any(-1) & mask
        confusion = self.confusion.at[labels, logits.argmax(-1)].add(mask.astype(jnp.int32))
        top = self.among_top + among.sum(dtype=jnp.int32)
        return Tally(self.totals.add(logits, labels, mask), confusion, top)

    def means(self) -> tuple[float, float]:
        """Mean cross-entropy and accuracy."""
        return self.totals.means()

    @property
    def top_accuracy(self) -> float:
        """The share of images whose label is among the TOP highest logits."""
        return int(self.among_top) / int(self.totals.count)


def make_tally(model: Any, prepare: Callable[[Array], Array], classes: int) -> Callable[[Variables, Feed], Tally]:
    """`tally(variables, feed)`: the complete tally of the feed's images, in evaluation mode."""

    @jax.jit
    def add(tally: Tally, variables: Variables, batches: Batches, mask: Array) -> Tally:
        images, labels = batches.at(0)
        return tally.add(batch_logits(model, variables, prepare(images)), labels, mask)

    def tally(variables: Variables, feed: Feed) -> Tally:
        step = lambda variables, tally, chunk, mask: add(tally, variables, feed(chunk[None]), mask)
        rows = np.arange(len(feed.labels))
        return fold_rows(step, variables, Tally.zero(classes), rows, batch_size=ROWS, multiple=feed.mesh.size)

    return tally
