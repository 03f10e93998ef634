"""What networks answer to the same images: the probabilities of each member, in the classes of the data set."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cnnviz import probe
from cnnviz.batching import Report, part
from cnnviz.comparison.classes import Matched
from cnnviz.networks import Net
from cnnviz.networks.probabilities import probabilities

NONE = -1  # the class of an image whose outputs are NaN or infinite
LEAST = np.finfo(np.float64).tiny  # of a probability whose logarithm is taken

PerMember = Float[np.ndarray, "members n"]


@dataclass(frozen=True)
class Answers:
    """The probabilities `[members, n, k]` of one network with its members for n images with these labels.

    Classes are numbered as the data set does; those that only the network knows come after them.
    """

    name: str
    p: Float[np.ndarray, "members n k"]
    labels: Int[np.ndarray, " n"]
    seeds: tuple[int, ...] = ()

    @cached_property
    def known(self) -> Bool[np.ndarray, "members n"]:
        """Where outputs are finite."""
        return np.logical_and.reduce(np.isfinite(self.p), axis=2)

    @cached_property
    def said(self) -> Int[np.ndarray, "members n"]:
        """The predicted classes; -1 where outputs are NaN or infinite."""
        return np.where(self.known, np.nan_to_num(self.p).argmax(axis=2), NONE)

    @cached_property
    def right(self) -> Bool[np.ndarray, "members n"]:
        """Where the prediction is the label."""
        return self.said == self.labels

    @cached_property
    def confidence(self) -> PerMember:
        """The probability of the predicted class; NaN where there is none."""
        return np.where(self.known, np.nan_to_num(self.p).max(axis=2), np.nan)

    @cached_property
    def of_label(self) -> PerMember:
        """The probability of the true class."""
        return np.take_along_axis(self.p, self.labels[None, :, None], axis=2)[..., 0]

    @property
    def loss(self) -> PerMember:
        """The cross-entropy, the negative logarithm of the true class's probability, in nats; at most 708."""
        return -np.log(np.maximum(self.of_label, LEAST))

    @property
    def brier(self) -> PerMember:
        """The Brier score, the squared distance of the probabilities from the truth; from 0 to 2.

        Brier, "Verification of forecasts expressed in terms of probability", 1950.
        """
        return (self.p**2).sum(axis=2) - 2 * self.of_label + 1

    @property
    def mean(self) -> "Answers":
        """The answers of all members together: the mean of their probabilities, as those of one network."""
        return Answers(self.name, self.p.mean(axis=0, keepdims=True), self.labels)

    def of(self, images: Shaped[np.ndarray, " some"]) -> "Answers":
        """The answers to some of the images."""
        return Answers(self.name, self.p[:, images], self.labels[images], self.seeds)


def answers(
    net: Net,
    images: Shaped[np.ndarray, "n *sides c"],
    labels: Int[np.ndarray, " n"],
    matched: Matched,
    report: Report | None = None,
) -> Answers:
    """What a network answers to uint8 images, each member in turn, with its outputs in the order of the data set."""
    told = report or (lambda done, total, what="": None)
    every = []
    for place, variables in enumerate(net.members):
        step = part(told, place, len(net.members), net.name)
        logits = probe.logits(net.model, variables, images, prepare=net.prepare, report=step)
        every.append(probabilities(np.asarray(logits), net.ending))
    p = np.stack(every)
    order = matched.order(p.shape[2])
    return Answers(net.name, np.where(order >= 0, p[..., order], 0.0), np.asarray(labels, np.int64), net.seeds)
