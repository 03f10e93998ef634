"""Which two units of a layer stand in for each other: what the network loses without both, beyond each alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.probe import NOTHING, Call, Reader
from cnnviz.probe.inputs import Prepare
from cnnviz.probe.outputs import OutputName
from cnnviz.types import PyTree, VariablesLike
from cnnviz.units.layer import units_of
from cnnviz.units.tally import tallied
from cnnviz.units.without import ZERO


@dataclass(frozen=True)
class Pairs:
    """For p pairs of units `[p 2]`: by how much the loss is more and the accuracy less without both.

    `excess` is how much more the loss gains without both than without the one and without the other together: positive
    where two stand in for each other, so that either can go but not both; about 0 where they work apart, and negative
    where each is of use only with the other.
    """

    layer: str
    images: int
    units: Int[np.ndarray, "p 2"]
    loss_gained: Float[np.ndarray, " p"]
    accuracy_lost: Float[np.ndarray, " p"]
    excess: Float[np.ndarray, " p"]
    accuracy_excess: Float[np.ndarray, " p"]

    @property
    def ranked(self) -> Int[np.ndarray, " p"]:
        """The places of the pairs, the largest excess first."""
        return np.argsort(-self.excess, kind="stable")


def pairs(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    labels: Int[np.ndarray, " n"] | None,
    layer: Any,
    *,
    units: Sequence[int] | None = None,
    to: Any = ZERO,
    prepare: Prepare = None,
    output: OutputName = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> Pairs:
    """What the network loses without each two of a layer's units, or of those in `units`.

    Of c units these are c (c - 1) / 2 partial passes over the images. Arguments are those of `ablation`. Raises
    InputError for fewer than two units.
    """
    asked = units_of(
        Reader(model, variables, layer, prepare=prepare, call=call, output=output),
        images,
        labels,
        batch_size=batch_size,
    )
    chosen = np.unique(asked.chosen(units))
    if len(chosen) < 2:
        raise InputError(f"A pair needs two units; of {asked.layer} there was {len(chosen)}.")
    one, other = np.triu_indices(len(chosen), 1)
    both = np.stack([chosen[one], chosen[other]], 1)
    none = np.full((1 + len(chosen), 2), asked.count)
    none[1:, 0] = chosen
    found = tallied(asked, np.concatenate([none, both]), asked.replacement(to), report=report)
    count = found.images.sum()
    lost = (found.right[0].sum() - found.right.sum(-1)) / count
    gained = (found.loss.sum(-1) - found.loss[0].sum()) / count
    single, together = slice(1, 1 + len(chosen)), slice(1 + len(chosen), None)
    beyond = lambda values: values[together] - values[single][one] - values[single][other]
    return Pairs(asked.layer, int(count), both, gained[together], lost[together], beyond(gained), beyond(lost))
