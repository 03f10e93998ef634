"""The barrier between two networks: their loss along the straight line, as they are and with B's units in A's order.

Frankle et al., "Linear Mode Connectivity and the Lottery Ticket Hypothesis", 2020; Ainsworth et al., "Git Re-Basin:
Merging Models modulo Permutation Symmetries", 2023.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cnnviz.batching import Report
from cnnviz.comparison.answers import answers
from cnnviz.comparison.classes import matched
from cnnviz.comparison.estimates import LEVEL, RESAMPLES, Estimate, over_images
from cnnviz.comparison.path import above_ends, between, recomputed
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.types import Variables

Images = Any


@dataclass(frozen=True)
class Along:
    """Loss in nats and whether the answer is right, of each image at each place of a line, A first and B last."""

    loss: Float[np.ndarray, "places n"]
    right: Bool[np.ndarray, "places n"]

    @property
    def shares(self) -> Float[np.ndarray, " places"]:
        """How far along the line each place is, from 0 to 1."""
        return np.linspace(0, 1, len(self.loss))

    def barrier(self, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
        """The largest loss above the straight line between the losses of both ends, with a bootstrap over images."""
        largest = lambda means: np.maximum(means.max(axis=0, keepdims=True), 0)
        return over_images(above_ends(self.loss), largest, level=level, resamples=resamples, seed=seed)[0]

    def means(self, level: float = LEVEL, resamples: int = RESAMPLES) -> tuple[list[Estimate], list[Estimate]]:
        """Mean loss and accuracy at each place, with bootstrap intervals over images."""
        found = over_images(np.concatenate([self.loss, self.right]), level=level, resamples=resamples)
        return found[: len(self.loss)], found[len(self.loss) :]


@dataclass(frozen=True)
class Places:
    """Networks with the variables of A's model, evaluated one after another on the same images.

    `statistics_from` are images of the training data, from which running statistics, as BatchNorm's, are computed anew.
    """

    net: Net
    images: Images
    labels: Int[np.ndarray, " n"]
    classes: Sequence[str] = ()
    statistics_from: Images = None

    def along(self, other: Variables, places: int = 11, report: Report | None = None) -> Along:
        """Loss and answers at evenly spaced places of the line from the network to other variables.

        Raises InputError for fewer than two places.
        """
        if places < 2:
            raise InputError(f"A line has at least 2 places; there were {places}.")
        every = (between(self.net.variables, other, float(share)) for share in np.linspace(0, 1, places))
        return self.of(every, places, report)

    def of(self, every: Iterable[Variables], count: int, report: Report | None = None) -> Along:
        """Loss and answers of each of these variables."""
        wanted = tuple(self.classes) or self.net.classes or tuple(map(str, range(self.net.class_count)))
        order = matched(self.net.name, self.net.classes, self.net.class_count, wanted)
        found = []
        for i, variables in enumerate(every):
            its = answers(replace(self.net, members=[self._prepared(variables)]), self.images, self.labels, order)
            found.append((its.loss[0], its.right[0]))
            if report:
                report(i + 1, count)
        loss, right = zip(*found, strict=True)
        return Along(np.stack(loss), np.stack(right))

    def _prepared(self, variables: Variables) -> Variables:
        if self.statistics_from is None:
            return variables
        return recomputed(self.net.model, variables, self.statistics_from, self.net.prepare)
