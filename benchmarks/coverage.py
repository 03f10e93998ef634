"""How often intervals of comparisons contain the truth: `python benchmarks/coverage.py`, on one core some minutes.

Answers are drawn from networks whose true accuracy, loss, calibration error and Brier score are known from a million
images. In each experiment the intervals over images of two networks and of their difference, and those over seeds, are
computed as `comparison.performance` does, and it is counted how many contain the truth. Over 500 experiments the
standard error of a rate near 0.95 is 0.01.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import tyro

from cnnviz.comparison import Answers, over_seeds, performance, reliability
from cnnviz.comparison.estimates import difference_over_seeds
from cnnviz.comparison.performance import MEASURES

CLASSES, POPULATION = 5, 1_000_000


@dataclass(frozen=True)
class Options:
    """Count how often intervals contain the truth."""

    experiments: int = 500
    """How many experiments are made."""
    images: int = 500
    """How many images each one has."""
    resamples: int = 1000
    """How many times they are drawn again."""
    level: float = 0.95
    """The level of the intervals."""


def drawn(random: np.random.Generator, count: int) -> list[Answers]:
    """Two networks' answers to the same images: the second is worse, and too sure of itself."""
    labels = random.integers(0, CLASSES, count)
    shared, truth = random.normal(size=(count, CLASSES)), np.eye(CLASSES)[labels]
    own = [random.normal(size=(count, CLASSES)) for _ in range(2)]
    logits = [1.2 * truth + shared + 0.5 * own[0], 2.0 * (1.0 * truth + shared + 0.5 * own[1])]
    return [Answers(name, softmax(z)[None], labels) for name, z in zip("ab", logits, strict=True)]


def softmax(logits: np.ndarray) -> np.ndarray:
    """The softmax over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def truth_of(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Each measure of both networks and its difference, on so many images that their error does not count."""
    values = {}
    for each in drawn(random, POPULATION):
        ece = reliability(each.confidence[0], each.right[0]).ece
        values[each.name] = [each.right.mean(), each.loss.mean(), ece, each.brier.mean()]
    return {name: np.array([a, b, a - b]) for name, a, b in zip(MEASURES, *values.values(), strict=True)}


def over_images(options: Options, random: np.random.Generator) -> None:
    """Prints the rates of the intervals over images."""
    truth, inside = truth_of(random), Counter()
    for i in range(options.experiments):
        own = {"level": options.level, "resamples": options.resamples, "seed": i}
        found = performance(drawn(random, options.images), **own)
        for name in MEASURES:
            each = [*(its.images[name] for its in found.networks.values()), found.pairs[0].images[name]]
            for what, estimate, value in zip(("a", "b", "a - b"), each, truth[name], strict=True):
                inside[name, what] += estimate.low <= value <= estimate.high
    for (name, what), count in inside.items():
        print(f"over images  {name:9} {what:6} {count / options.experiments:.3f}")


def over_few_seeds(options: Options, random: np.random.Generator) -> None:
    """Prints the rates of the intervals over seeds, of accuracies that are normal over seeds."""
    for seeds in (2, 3, 5, 8):
        one = 0.92 + 0.003 * random.normal(size=(4 * options.experiments, seeds))
        each = [over_seeds(values, options.level) for values in one]
        print(f"over {seeds} seeds mean        {np.mean([it.low <= 0.92 <= it.high for it in each]):.3f}")
        other = 0.91 + 0.006 * random.normal(size=one.shape)
        pairs = [difference_over_seeds(a, b, options.level)[0] for a, b in zip(one, other, strict=True)]
        print(f"over {seeds} seeds difference  {np.mean([it.low <= 0.01 <= it.high for it in pairs]):.3f}")


def main(options: Options) -> None:
    """Counts, for intervals over images and over seeds."""
    random = np.random.default_rng(0)
    over_images(options, random)
    over_few_seeds(options, random)


if __name__ == "__main__":
    main(tyro.cli(Options))
