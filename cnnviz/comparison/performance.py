"""How right networks are on the same images, and by how much they differ, with intervals and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.answers import Answers
from cnnviz.comparison.calibration import BINS, gaps
from cnnviz.comparison.calibration_error import corrected, difference, error_of
from cnnviz.comparison.estimates import (
    LEVEL,
    RESAMPLES,
    Estimate,
    PValue,
    Resampled,
    difference_over_seeds,
    over_images,
    over_seeds,
    resampled,
)
from cnnviz.comparison.significance import holm, mcnemar, table, twice_the_median

MEASURES: tuple[str, ...] = ("accuracy", "loss", "ECE", "Brier")
ECE = MEASURES.index("ECE")
NOT_KNOWN = PValue("nan")
Estimates = Mapping[str, Estimate]
Members = Mapping[str, Float[np.ndarray, "..."]]


@dataclass(frozen=True)
class Measured:
    """Each measure of one network: over images with its members fixed, over seeds, and of each member."""

    images: Estimates
    seeds: Estimates
    members: Members


@dataclass(frozen=True)
class Difference:
    """Each measure of `one` less that of `other`, over images (paired) and over seeds, and the tests of accuracy.

    `only_one` and `only_other` are how many images the one has right and the other wrong, means over pairs of members.
    `p` is Welch's over seeds where both have several, else McNemar's; `corrected` is Holm's of all pairs of networks.
    """

    one: str
    other: str
    images: Estimates
    seeds: Estimates
    only_one: float
    only_other: float
    mcnemar: PValue
    welch: PValue
    corrected: PValue = NOT_KNOWN

    @property
    def p(self) -> PValue:
        """The p-value that counts for the correction."""
        return self.mcnemar if np.isnan(self.welch) else self.welch

    @property
    def test(self) -> str:
        """Whose p-value that is."""
        return "McNemar" if np.isnan(self.welch) else "Welch over seeds"


@dataclass(frozen=True)
class Performance:
    """What is measured of each network, by name, and of each pair of networks in order."""

    networks: Mapping[str, Measured]
    pairs: Sequence[Difference]


def performance(
    answers: Sequence[Answers],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    bins: int = BINS,
    seed: int = 0,
) -> Performance:
    """Accuracy, loss, calibration error and Brier score of networks on the same images, and of all pairs.

    Images whose outputs are NaN or infinite count as wrong; all measures but accuracy leave an image out for all
    networks if it has no finite outputs from one of them. Intervals of the calibration error are corrected for what
    chance adds to it (`calibration_error`), so they may lie below the measured value. `seed` is that of the resamples.
    """
    known = np.all([each.known.all(axis=0) for each in answers], axis=0)
    parts = [_features(each, known, bins) for each in answers]
    splits, firsts = np.cumsum([len(part) for part in parts])[:-1], _firsts(answers)
    pairs = list(combinations(range(len(answers)), 2))

    def measures(means: Float[np.ndarray, "q b"]) -> Float[np.ndarray, "r b"]:
        share, by_network = means[-1], np.split(means[:-1], splits)
        each = [by_network[i] for i in firsts]
        own = np.stack([_measures(its, share, bins) for its in each])
        return np.concatenate([*own, *(own[i] - own[j] for i, j in pairs), *(_gaps(its, share) for its in each)])

    features, count = np.concatenate([*parts, known[None].astype(np.float64)]), len(answers) + len(pairs)
    found = resampled(features, measures, level=level, resamples=resamples, seed=seed)
    errors = _calibration(found, count, [len(each.p) for each in answers], bins, pairs, level)
    each = [found.estimates[4 * i : 4 * i + 4] for i in range(count)]
    rows = [dict(zip(MEASURES, own, strict=True)) | {"ECE": error} for own, error in zip(each, errors, strict=True)]
    members = [_of_members(each, known, bins) for each in answers]
    over = [{name: over_seeds(values, level) for name, values in its.items()} for its in members]
    measured = [Measured(*its) for its in zip(rows[: len(answers)], over, members, strict=True)]
    networks = {each.name: own for each, own in zip(answers, measured, strict=True)}
    differences = [
        _difference(answers[i], answers[j], own, members[i], members[j], level)
        for (i, j), own in zip(pairs, rows[len(answers) :], strict=True)
    ]
    return Performance(networks, _corrected(differences))


def _firsts(answers: Sequence[Answers]) -> list[int]:
    """For each network the first with the same answers, whose means stand for both: a difference is exactly 0."""
    same = lambda one, other: np.array_equal(one.p, other.p, equal_nan=True)
    return [next(i for i, other in enumerate(answers) if same(one, other)) for one in answers]


def _features(each: Answers, known: np.ndarray, bins: int) -> Float[np.ndarray, "q n"]:
    """What the measures are means of: right, loss and Brier score of each image, and each member's gaps by bin."""
    only = lambda values: np.where(known, np.nan_to_num(values), 0).mean(axis=0)
    its = [gaps(p, right, bins) * known for p, right in zip(each.confidence, each.right, strict=True)]
    return np.concatenate([[each.right.mean(axis=0), only(each.loss), only(each.brier)], *its])


def _gaps(means: Float[np.ndarray, "q b"], share: Float[np.ndarray, " b"]) -> np.ndarray:
    return means[3:] / np.where(share > 0, share, np.nan)


def _calibration(
    found: Resampled, count: int, members: Sequence[int], bins: int, pairs: Sequence[tuple[int, int]], level: float
) -> list[Estimate]:
    """The calibration errors of all networks, and of all pairs their differences, from the gaps after `count` rows."""
    ends = len(MEASURES) * count + np.cumsum([0, *members]) * bins
    parts = list(zip(ends[:-1], ends[1:], strict=True))
    each = [
        corrected(found.values[i:k].reshape(-1, bins), found.draws[i:k].reshape(-1, bins, found.draws.shape[1]), level)
        for i, k in parts
    ]
    draws = found.draws[ECE :: len(MEASURES)]
    return [its.estimate for its in each] + [difference(each[i], each[j], (draws[i], draws[j])) for i, j in pairs]


def _measures(means: Float[np.ndarray, "q b"], share: Float[np.ndarray, " b"], bins: int) -> np.ndarray:
    right, loss, brier = means[:3]
    error = error_of(means[3:].reshape(-1, bins, means.shape[1]))
    share = np.where(share > 0, share, np.nan)
    return np.stack([right, loss / share, error / share, brier / share])


def _of_members(each: Answers, known: np.ndarray, bins: int) -> dict[str, np.ndarray]:
    single = [Answers(each.name, p[None], each.labels) for p in each.p]
    share = np.array([known.mean()])
    found = [_measures(_features(one, known, bins).mean(axis=1, keepdims=True), share, bins)[:, 0] for one in single]
    return dict(zip(MEASURES, np.stack(found, axis=1), strict=True))


def _difference(
    one: Answers, other: Answers, images: Estimates, ours: Members, theirs: Members, level: float
) -> Difference:
    (only_one, only_other), p = _mcnemar(one, other)
    over = {name: difference_over_seeds(ours[name], theirs[name], level) for name in MEASURES}
    seeds = {name: estimate for name, (estimate, _) in over.items()}
    return Difference(one.name, other.name, images, seeds, only_one, only_other, p, over["accuracy"][1])


def _mcnemar(one: Answers, other: Answers) -> tuple[tuple[float, float], PValue]:
    """How many images the one has right and the other wrong, means over pairs of members, and McNemar's p-value."""
    tables = [table(a, b) for a, b in product(one.right, other.right)]
    only_one, only_other = [t[0][1] for t in tables], [t[1][0] for t in tables]
    p = twice_the_median([mcnemar(a, b) for a, b in zip(only_one, only_other, strict=True)])
    return (float(np.mean(only_one)), float(np.mean(only_other))), p


def _corrected(pairs: Sequence[Difference]) -> list[Difference]:
    found = holm([pair.p for pair in pairs])
    return [replace(pair, corrected=p) for pair, p in zip(pairs, found, strict=True)]


def by_class(
    answers: Sequence[Answers], classes: int, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[int, list[Estimate], list[Estimate]]]:
    """For each class: its images, each network's accuracy on them, and each pair's difference, with intervals.

    Classes without images are left out.
    """
    labels, firsts = answers[0].labels, _firsts(answers)
    pairs, present = list(combinations(range(len(answers)), 2)), np.flatnonzero(np.bincount(labels, minlength=classes))
    of = labels == present[:, None]
    features = [of, *(of * each.right.mean(axis=0) for each in answers)]

    def rates(means: Float[np.ndarray, "q b"]) -> Float[np.ndarray, "r b"]:
        share, *right = np.split(means, len(features))
        own = [right[i] / np.where(share > 0, share, np.nan) for i in firsts]
        return np.concatenate([*own, *(own[i] - own[j] for i, j in pairs)])

    found = over_images(np.concatenate(features).astype(float), rates, level=level, resamples=resamples, seed=seed)
    k, count = len(present), len(answers)
    rows = [found[i::k] for i in range(k)]
    return [(int(c), row[:count], row[count:]) for c, row in zip(present, rows, strict=True)]


def class_tests(answers: Sequence[Answers], classes: int) -> dict[int, list[PValue]]:
    """For each class with images, the p-value of each pair's difference of accuracy, by Holm's method over all of them.

    The tests are those of `performance`: Welch's over seeds where both networks have several, else McNemar's.
    """
    present = np.flatnonzero(np.bincount(answers[0].labels, minlength=classes)).tolist()
    pairs = list(combinations(range(len(answers)), 2))
    its = [[each.of(np.flatnonzero(each.labels == c)) for each in answers] for c in present]
    found = holm([_class_test(own[i], own[j]) for own in its for i, j in pairs])
    return {c: found[k * len(pairs) : (k + 1) * len(pairs)] for k, c in enumerate(present)}


def _class_test(one: Answers, other: Answers) -> PValue:
    rates = one.right.mean(axis=1), other.right.mean(axis=1)
    welch = difference_over_seeds(*rates)[1]
    return _mcnemar(one, other)[1] if np.isnan(welch) else welch
