"""Accuracy as the units of a layer go, one after another: the most important first, the least, and in random order.

Morcos et al., "On the importance of single directions for generalization", 2018 (arXiv:1803.06959).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from cnnviz.batching import Report, part
from cnnviz.errors import InputError
from cnnviz.probe import NOTHING, Call, Reader
from cnnviz.probe.inputs import Prepare
from cnnviz.probe.outputs import OutputName
from cnnviz.types import Key, PyTree, VariablesLike
from cnnviz.units.layer import Units, units_of
from cnnviz.units.tally import tallied
from cnnviz.units.without import ZERO, ablation


@dataclass(frozen=True)
class AblationCurve:
    """Accuracy and mean cross-entropy `[orders s]` without the first `removed` `[s]` units of each order.

    The first order has the most important unit first, the second the least, and the others are random.
    """

    layer: str
    images: int
    removed: Int[np.ndarray, " s"]
    accuracy: Float[np.ndarray, "orders s"]
    loss: Float[np.ndarray, "orders s"]

    @property
    def most_important_first(self) -> Float[np.ndarray, " s"]:
        """The accuracy as the most important units go first."""
        return self.accuracy[0]

    @property
    def least_important_first(self) -> Float[np.ndarray, " s"]:
        """The accuracy as the least important units go first."""
        return self.accuracy[1]

    @property
    def random(self) -> Float[np.ndarray, "draws s"]:
        """The accuracy as units go in random orders."""
        return self.accuracy[2:]


def ablation_curve(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    labels: Int[np.ndarray, " n"] | None,
    layer: Any,
    *,
    ranked: Sequence[int] | None = None,
    draws: int = 5,
    steps: int = 16,
    to: Any = ZERO,
    prepare: Prepare = None,
    output: OutputName = None,
    key: Key,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> AblationCurve:
    """How accuracy falls as units of a layer go, at about `steps` numbers of units from none to all.

    `ranked` has all units from the most important to the least; by default they are ranked by `ablation` on the same
    images. `draws` random orders come from `key`. The rest is as in `ablation`.
    """
    if draws < 0 or steps < 1:
        raise InputError(f"A curve has at least one step and no fewer than 0 draws; these were {steps} and {draws}.")
    named: Any = {"to": to, "prepare": prepare, "output": output, "batch_size": batch_size, "call": call}
    if ranked is None:
        ranked = ablation(model, variables, images, labels, layer, **named, report=part(report, 0, 2)).ranked.tolist()
        report = part(report, 1, 2)
    reader = Reader(model, variables, layer, prepare=prepare, call=call, output=output)
    asked = units_of(reader, images, labels, batch_size=batch_size)
    order = np.asarray(ranked)
    if sorted(order.tolist()) != list(range(asked.count)):
        raise InputError(f"ranked has each of the {asked.count} units of {asked.layer} once; it was {ranked!r}.")
    return _curve(asked, order, asked.replacement(to), key, draws, steps, report)


def _curve(
    asked: Units, order: np.ndarray, instead: np.ndarray, key: Key, draws: int, steps: int, report: Report | None
) -> AblationCurve:
    random = [np.asarray(jax.random.permutation(each, asked.count)) for each in jax.random.split(key, draws)]
    removed = np.unique(np.linspace(0, asked.count, min(steps, asked.count) + 1).round().astype(int))
    masks = np.concatenate([_first(own, removed) for own in (order, order[::-1], *random)])
    found = tallied(asked, masks, instead, report=report)
    count = found.images.sum()
    both = (values.sum(-1, dtype=np.float64).reshape(-1, len(removed)) / count for values in (found.right, found.loss))
    return AblationCurve(asked.layer, int(count), removed, *both)


def _first(order: Int[np.ndarray, " c"], removed: Int[np.ndarray, " s"]) -> Bool[np.ndarray, "s c"]:
    """For each number, which units are among the first so many of the order."""
    return np.argsort(order)[None] < removed[:, None]
