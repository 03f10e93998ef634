"""Two networks compared in one call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from cnnviz import networks
from cnnviz.batching import Report, part
from cnnviz.comparison.answers import Answers, answers
from cnnviz.comparison.calibration import BINS
from cnnviz.comparison.churn import Churn, churn
from cnnviz.comparison.classes import Matched, matched
from cnnviz.comparison.disagreements import only_right
from cnnviz.comparison.estimates import LEVEL, RESAMPLES, Estimate, PValue, check
from cnnviz.comparison.performance import Difference, Performance, by_class, class_tests, performance
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted, size
from cnnviz.networks import Net

Labels = Int[np.ndarray, " labels"]


@dataclass(frozen=True)
class Compared:
    """What two networks or more answer to the same images, and what follows from that.

    `images` are the numbers of the images, of those that were given, whose class all networks know; `left_out` are the
    networks that know none of the classes; `notes` are sentences on how classes were matched and what was left out.
    """

    answers: Sequence[Answers]
    classes: tuple[str, ...]
    images: Int[np.ndarray, " n"]
    left_out: Sequence[Net]
    notes: Sequence[str]
    level: float = LEVEL
    resamples: int = RESAMPLES
    bins: int = BINS
    seed: int = 0

    @cached_property
    def performance(self) -> Performance:
        """Accuracy, loss, calibration error and Brier score, and the differences of all pairs with their tests."""
        own = {"level": self.level, "resamples": self.resamples, "bins": self.bins, "seed": self.seed}
        return performance(self.answers, **own)

    @property
    def difference(self) -> Difference:
        """The difference of the first two networks; raises InputError for one network."""
        if not self.performance.pairs:
            raise InputError("One network alone has no difference; compare it with another.")
        return self.performance.pairs[0]

    @cached_property
    def by_class(self) -> list[tuple[int, list[Estimate], list[Estimate]]]:
        """Of each class: its number, the accuracy of each network, and the difference of each pair."""
        own = {"level": self.level, "resamples": self.resamples, "seed": self.seed}
        return by_class(self.answers, len(self.classes), **own)

    @cached_property
    def class_tests(self) -> dict[int, list[PValue]]:
        """Of each class: the p-value of each pair's difference of accuracy, corrected for all classes and pairs."""
        return class_tests(self.answers, len(self.classes))

    @cached_property
    def churn(self) -> list[Churn]:
        """How often members of each network, and of each two networks, give different answers."""
        return churn(self.answers)

    def only_right(self, one: int = 0, other: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The images that network `one` has right and `other` wrong, widest margin first, and the margins."""
        found, margin = only_right(self.answers[one], self.answers[other])
        return self.images[found], margin


def compare(
    a: Any,
    b: Any,
    images: Shaped[np.ndarray, "n *sides c"],
    labels: Labels,
    *others: Any,
    classes: Sequence[str] = (),
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    bins: int = BINS,
    seed: int = 0,
    report: Report | None = None,
) -> Compared:
    """Networks compared on uint8 images with these labels: `compare("runs/a", "runs/b", images, labels).difference`.

    A network is a `Net` or what `networks.open` takes. `classes` are the names of the labels, by default those of the
    first network. Raises InputError if a network does not take the images, or if fewer than two images are of classes
    that the networks know.
    """
    found = compared([networks.open(each) for each in (a, b, *others)], images, labels, classes, report=report)
    check(level, resamples)
    return replace(found, level=level, resamples=resamples, bins=bins, seed=seed)


def compared(
    nets: Sequence[Net],
    images: Shaped[np.ndarray, "n *sides c"],
    labels: Labels,
    classes: Sequence[str] = (),
    *,
    report: Report | None = None,
) -> Compared:
    """As `compare`, for networks in a list."""
    _check(nets, images, labels)
    wanted = tuple(classes) or nets[0].classes or tuple(map(str, range(nets[0].class_count)))
    able, left_out, notes = _matched(nets, wanted)
    is_known = np.all([its.outputs >= 0 for _, its in able], axis=0)
    kept = np.flatnonzero(is_known[labels])
    if not is_known.all():
        named = ", ".join(wanted[i] for i in np.flatnonzero(is_known))
        notes.append(f"Compared are the {len(kept):,} of {len(labels):,} images of classes that all know: {named}.")
    if len(kept) < 2:
        raise InputError(f"A comparison takes at least two images of classes that all networks know, not {len(kept)}.")
    found = [
        answers(net, images[kept], labels[kept], its, part(report, place, len(able), net.name))
        for place, (net, its) in enumerate(able)
    ]
    return Compared(found, wanted, kept, left_out, notes)


def _check(nets: Sequence[Net], images: np.ndarray, labels: np.ndarray) -> None:
    if len(images) != len(labels):
        raise InputError(
            f"There is one label per image; there were {counted(len(images), 'image')} and "
            f"{counted(len(labels), 'label')}."
        )
    for net in nets:
        if tuple(net.image_shape) != tuple(images.shape[1:]):
            sides = [size(shape) for shape in (net.image_shape, images.shape[1:])]
            raise InputError(f"{net.name} takes images of {sides[0]}; these are {sides[1]}.")


def _matched(nets: Sequence[Net], wanted: Sequence[str]) -> tuple[list[tuple[Net, Matched]], list[Net], list[str]]:
    """The networks that know some of the classes, those that know none, and sentences on both."""
    each = [(net, matched(net.name, net.classes, net.class_count, wanted)) for net in nets]
    able = [(net, its) for net, its in each if len(its.known) and net.class_count > 1]
    left_out = [net for net, its in each if not len(its.known) or net.class_count < 2]
    if not able:
        raise InputError(f"None of the networks knows a class of {', '.join(wanted[:10])}.")
    notes = [its.how for _, its in each if its.how]
    return able, left_out, notes
