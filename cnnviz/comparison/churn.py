"""How often two networks give different answers, and how much of that is only the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.answers import Answers

Rates = Float[np.ndarray, " pairs"]


@dataclass(frozen=True)
class Churn:
    """Of one network's pairs of members, or of pairs of members of two networks.

    `different` is the share of images to which the two give different answers (churn; 1 minus the agreement),
    `flipped` the share that only one of them has right, `same_mistake` the share of the images that both have wrong to
    which they give the same answer (NaN where there are none), each with one value per pair.

    Milani Fard et al., "Launch and iterate: reducing prediction churn", 2016.
    """

    one: str
    other: str
    different: Rates
    flipped: Rates
    same_mistake: Rates

    @property
    def is_within(self) -> bool:
        """Whether it is of the members of one network."""
        return self.one == self.other


def churn(answers: Sequence[Answers]) -> list[Churn]:
    """The rates within each network that has several members, then between each two networks."""
    within = [_rates(each, each, list(combinations(range(len(each.p)), 2))) for each in answers if len(each.p) > 1]
    both = [(a, b, list(product(range(len(a.p)), range(len(b.p))))) for a, b in combinations(answers, 2)]
    return within + [_rates(*each) for each in both]


def explained_by_seed(between: Churn, within: Sequence[Churn]) -> float:
    """Which share of the churn between two networks is there between seeds of one of them too; NaN if not known.

    It is the mean churn within the two networks divided by that between them, at most 1.
    """
    own = [each.different.mean() for each in within if each.one in (between.one, between.other)]
    if not own or not between.different.mean():
        return float("nan")
    return float(min(1.0, np.mean(own) / between.different.mean()))


def _rates(one: Answers, other: Answers, pairs: Sequence[tuple[int, int]]) -> Churn:
    rows = [(one.said[i] != other.said[j], one.right[i], other.right[j]) for i, j in pairs]
    different = np.array([apart.mean() for apart, _, _ in rows])
    flipped = np.array([(a != b).mean() for _, a, b in rows])
    same = np.array([_share(~apart & ~a, ~a & ~b) for apart, a, b in rows])
    return Churn(one.name, other.name, different, flipped, same)


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float((part & whole).sum() / whole.sum()) if whole.any() else float("nan")
