"""What a network loses without each unit of a layer: accuracy by class and loss, with the unit's channel replaced.

Bau et al., "Understanding the role of individual units in a deep neural network", 2020 (doi:10.1073/pnas.1907375117),
remove units by setting them to zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cnnviz.batching import Report
from cnnviz.probe import NOTHING, Call, Reader
from cnnviz.probe.inputs import Prepare
from cnnviz.probe.outputs import OutputName
from cnnviz.types import PyTree, VariablesLike
from cnnviz.units.layer import Units, units_of
from cnnviz.units.tally import Sums, tallied

ZERO, MEAN = "zero", "mean"


@dataclass(frozen=True)
class Ablation:
    """What u units of a layer are worth, over the images of k classes.

    `images` counts those of each class, `right` and `loss` are the intact network's right answers and mean
    cross-entropy (natural logarithm) by class, and `right_without` and `loss_without` those without each unit. With
    `against` "predictions" there were no labels, and a right answer is the intact network's own.
    """

    layer: str
    units: Int[np.ndarray, " u"]
    to: str
    against: str
    images: Int[np.ndarray, " k"]
    right: Int[np.ndarray, " k"]
    loss: Float[np.ndarray, " k"]
    right_without: Int[np.ndarray, "u k"]
    loss_without: Float[np.ndarray, "u k"]

    @property
    def accuracy(self) -> float:
        """The intact network's accuracy."""
        return float(self.right.sum() / self.images.sum())

    @property
    def mean_loss(self) -> float:
        """The intact network's mean cross-entropy."""
        return float(_mean(self.loss, self.images))

    @property
    def accuracy_lost(self) -> Float[np.ndarray, " u"]:
        """By how much the accuracy is less without each unit; negative if it is more."""
        return (self.right.sum() - self.right_without.sum(-1)) / self.images.sum()

    @property
    def loss_gained(self) -> Float[np.ndarray, " u"]:
        """By how much the mean cross-entropy is more without each unit."""
        return _mean(self.loss_without, self.images) - self.mean_loss

    @property
    def class_accuracy_lost(self) -> Float[np.ndarray, "u k"]:
        """By how much each class's accuracy is less without each unit; NaN for a class without images."""
        return np.where(self.images > 0, self.right - self.right_without, np.nan) / np.maximum(self.images, 1)

    @property
    def class_loss_gained(self) -> Float[np.ndarray, "u k"]:
        """By how much each class's mean cross-entropy is more without each unit; NaN for a class without images."""
        return self.loss_without - self.loss

    @property
    def ranked(self) -> Int[np.ndarray, " u"]:
        """The units from the most important to the least, by `loss_gained`; of equal ones the first comes first."""
        return self.units[np.argsort(-self.loss_gained, kind="stable")]


def ablation(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    labels: Int[np.ndarray, " n"] | None,
    layer: Any,
    *,
    units: Sequence[int] | None = None,
    to: str | Float[np.ndarray, " c"] = ZERO,
    prepare: Prepare = None,
    output: OutputName = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> Ablation:
    """What the network loses without each unit of a layer (or without those in `units`), one at a time.

    `images` are `[n, ..., c]` as in `probe.activations`, `labels` `[n]` their classes; with None the network's own
    predictions take their place. A unit is a channel, the last axis of the layer's value; without it the channel is
    `to` at all places: "zero", "mean" for the channel's mean over these images, or numbers `[c]`. What comes before the
    layer is computed once for all units. The answer is the largest logit, and the loss is of the softmax over logits;
    of a network with one logit z, the classes' are 0 and z.

    Raises InputError if there is no such layer or unit, if the layer has no channels, if images or labels do not fit,
    or if the layer or the logits have a NaN, whose channel and image it names.
    """
    reader = Reader(model, variables, layer, prepare=prepare, call=call, output=output)
    asked = units_of(reader, images, labels, batch_size=batch_size)
    chosen = asked.chosen(units)
    members = np.concatenate([[[asked.count]], chosen[:, None]])  # the first set has no unit: the intact network
    found = tallied(asked, members, asked.replacement(to), report=report)
    return _ablation(asked, chosen, to if isinstance(to, str) else "numbers", found)


def _ablation(asked: Units, units: Int[np.ndarray, " u"], to: str, found: Sums) -> Ablation:
    means = found.means
    return Ablation(
        asked.layer,
        units,
        to,
        asked.against,
        found.images,
        found.right[0],
        means[0],
        found.right[1:],
        means[1:],
    )


def _mean(by_class: Float[np.ndarray, "*u k"], images: Int[np.ndarray, " k"]) -> Any:
    """The mean over images of what is a mean over those of each class."""
    return (np.where(images > 0, by_class, 0) * images).sum(-1) / images.sum()
