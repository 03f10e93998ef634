"""The pairs of single networks that parts look at: the first with each other one, and two seeds of one network."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from cnnviz.batching import Report
from cnnviz.comparison.alignment import Aligned, align
from cnnviz.networks import Net
from cnnviz.pictures.compared.shared import shared
from cnnviz.pictures.picture import Data, Skipped, split_of

MOST_OTHERS = 3


@dataclass(frozen=True)
class Pair:
    """Two networks of one member each; `is_within` says that they are seeds of one."""

    name: str
    one: Net
    other: Net
    is_within: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What tells the pair from every other of a comparison."""
        return self.one.name, self.one.seeds, self.other.name, self.other.seeds


@dataclass(frozen=True)
class OfMatching:
    """How units are matched."""

    split: str = "test"
    """The split whose images are shown: train or test."""
    match_by: str = "weights"
    """What units are matched by: weights, activations (over the same images), or both in equal shares."""
    matching_images: int = 1000
    """How many images the units' activations are compared on."""


def pairs_of(networks: Sequence[Net]) -> list[Pair]:
    """The first network with each of up to three others, then the first two seeds of the first that has several."""
    first, *others = networks
    found = [Pair(f"{first.name}, {other.name}", first.first, other.first) for other in others[:MOST_OTHERS]]
    several = next((net for net in networks if len(net.members) > 1), None)
    if several is not None:
        found.append(Pair(f"seeds of {several.name}", several.only(0), several.only(1), True))
    return found


def aligned(pair: Pair, data: Data, options: OfMatching, report: Report | None = None) -> Aligned:
    """The pair's units matched, once for all parts of a comparison; raises InputError as `align`.

    Without a data set whose images both take, activations are not compared. Raises Skipped if they were asked for.
    """
    key = ("aligned", options.match_by, options.split, options.matching_images, *pair.key)
    if key not in data.kept:
        images = _images(pair, data, options)
        data.kept[key] = align(pair.one, pair.other, images, by=options.match_by, report=report)
    found: Aligned = data.kept[key]
    return found


def _images(pair: Pair, data: Data, options: OfMatching) -> np.ndarray | None:
    try:
        able, dataset, _ = shared([pair.one, pair.other], data)
    except Skipped:
        if options.match_by != "weights":
            raise
        return None
    if len(able) == 2:
        return split_of(dataset, options.split).images[: max(1, options.matching_images)]
    if options.match_by != "weights":
        raise Skipped(f"{pair.one.name} and {pair.other.name} do not both take the images of {dataset.title}.")
    return None


def began_alike(pair: Pair) -> bool:
    """Whether both are runs that started from the same weights, so that units match where they are."""
    if pair.one.path is None or pair.other.path is None or not (pair.one.beginnings and pair.other.beginnings):
        return False
    one, other = (jax.tree.leaves(net.untrained) for net in (pair.one, pair.other))
    same = lambda a, b: np.shape(a) == np.shape(b) and np.array_equal(np.asarray(a), np.asarray(b))
    return len(one) == len(other) and all(map(same, one, other))


def start_said(pairs: Sequence[Pair]) -> str:
    """A sentence on pairs that started from the same weights, empty if there are none."""
    names = [pair.name for pair in pairs if began_alike(pair)]
    return f" From the same weights started: {'; '.join(names)}." if names else ""
