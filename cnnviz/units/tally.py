"""The right answers and the loss of a network by class, with many sets of its units replaced, in one pass."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from cnnviz.batching import IMAGE_ROWS, Report, batch_size_or_default, fold_rows, of_backend, part
from cnnviz.fast.channel_sets import Sets
from cnnviz.fast.jit import compiled
from cnnviz.probe.inputs import Inputs
from cnnviz.probe.reader import Request
from cnnviz.probe.replaced import replaced_logits
from cnnviz.types import Array, Variables
from cnnviz.units.finite import check_finite
from cnnviz.units.layer import Units, class_logits

# Bytes of what one compiled call computes for all its images and sets: on CPU the values of more leave the caches.
MOST_BYTES = 2**25, 2**32


class Sums(NamedTuple):
    """Of each of k classes: how many images, and without each of s sets the right answers and the sum of losses."""

    images: Any  # int [k]
    right: Any  # int [s k]
    loss: Any  # float [s k]

    @property
    def means(self) -> Float[np.ndarray, "s k"]:
        """The mean loss by class; NaN for a class without images."""
        return np.where(self.images > 0, self.loss, np.nan) / np.maximum(self.images, 1)


def tallied(
    asked: Units,
    sets: np.ndarray,
    instead: Float[np.ndarray, " c"],
    *,
    report: Report | None = None,
) -> Sums:
    """The sums without each set of units: int `[s j]` numbers, of which `asked.count` is none; or a mask bool `[s c]`.

    Raises InputError if a loss is NaN, and names where NaN comes from.
    """
    most = max(1, of_backend(*MOST_BYTES) // max(asked.bytes, 1))
    size = min(len(sets), most)
    rows = asked.batch_size or max(1, min(batch_size_or_default(None, IMAGE_ROWS), most // size))
    parts = range(0, len(sets), size)
    found = [
        _tallied(asked, _padded(sets[i : i + size], size, asked), instead, rows, part(report, k, len(parts)))
        for k, i in enumerate(parts)
    ]
    joined = lambda name: np.concatenate([np.asarray(getattr(each, name)) for each in found])[: len(sets)]
    sums = Sums(np.asarray(found[0].images), joined("right"), joined("loss"))
    if not np.isfinite(sums.loss).all():
        check_finite(asked)
    return sums


def _padded(sets: np.ndarray, size: int, asked: Units) -> np.ndarray:
    """As many sets, those that are added without a unit."""
    empty = False if sets.dtype == bool else asked.count
    return np.concatenate([sets, np.full((size - len(sets), sets.shape[1]), empty, sets.dtype)])


def _tallied(asked: Units, sets: np.ndarray, instead: Any, rows: int, report: Report | None) -> Sums:
    request, variables, inputs = asked.request
    step = partial(_add, request, asked.layer, asked.classes)
    zero = lambda *shape: jnp.zeros((*shape, asked.classes), jnp.int32)
    init = Sums(zero(), zero(len(sets)), zero(len(sets)).astype(jnp.float32))
    held = variables, jnp.asarray(instead), jnp.asarray(sets)
    merge = lambda one, other: jax.tree.map(jnp.add, one, other)
    return fold_rows(step, held, init, (inputs, asked.labels), merge, rows, report=report)


@partial(compiled, static_argnums=(0, 1, 2))
def _add(
    request: Request,
    layer: str,
    classes: int,
    held: tuple[Variables, Array, Array],
    sums: Sums,
    rows: tuple[Inputs, Int[Array, " n"]],
    mask: Array,
) -> Sums:
    (variables, instead, sets), (inputs, labels) = held, rows
    asked = Sets(sets) if sets.dtype == bool else Sets.of(sets, len(instead))
    logits = class_logits(replaced_logits(request, variables, inputs, layer, instead, asked)).astype(jnp.float32)
    every = jnp.broadcast_to(labels[None], logits.shape[:-1])
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, every)
    right = (logits.argmax(-1) == every) & jnp.isfinite(logits).all(-1)
    own = (labels[:, None] == jnp.arange(classes)[None]) & mask[:, None]  # [n k]
    by_class = lambda values: jnp.where(own[None], values[..., None], 0).sum(1)
    return Sums(
        sums.images + own.sum(0, dtype=jnp.int32),
        sums.right + by_class(right.astype(jnp.int32)),
        sums.loss + by_class(loss),
    )
