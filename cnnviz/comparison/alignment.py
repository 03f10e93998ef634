"""The units of one network matched to another's, how alike each pair is, and what matching gives by chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from cnnviz import probe
from cnnviz.batching import Report
from cnnviz.comparison.correlations import correlations
from cnnviz.comparison.matching import NOTHING, match_units
from cnnviz.comparison.permute import Permutation, permute
from cnnviz.comparison.same import is_same
from cnnviz.comparison.search import assigned, features
from cnnviz.comparison.ties import Group, Ties, ties
from cnnviz.comparison.weights import same_shapes
from cnnviz.errors import InputError, check_known
from cnnviz.kernels import weights
from cnnviz.networks import Net
from cnnviz.probe import Reader
from cnnviz.types import Variables

WAYS = ("weights", "activations", "both")
SHUFFLES, SHIFTS = 20, 3
MOST_VALUES = 2e8  # that are shuffled for one group; of larger ones fewer times
Features = Float[np.ndarray, "units _"]


@dataclass(frozen=True)
class Likeness:
    """How alike each unit of A and its match are, from -1 to 1, and the same by chance after matching as well.

    NaN is a pair of units that do not vary over the images.
    """

    units: Float[np.ndarray, " units"]
    null: Float[np.ndarray, "draws units"]

    @property
    def threshold(self) -> float:
        """The 95th percentile of pairs by chance."""
        return float(np.percentile(self.null, 95)) if self.null.size else float("nan")

    @property
    def share(self) -> float:
        """The share of pairs that are more alike than 95% of those by chance."""
        known = self.units[np.isfinite(self.units)]
        return float((known > self.threshold).mean()) if self.null.size and known.size else float("nan")


@dataclass(frozen=True)
class Aligned:
    """B's units in the order of A's: the permutations, and by group of units how alike the pairs are.

    `by_weights` are cosines of all weights from and to a unit, `by_activations` correlations of its values over the
    same images, empty without images.
    """

    tied: Ties
    permutations: Mapping[str, Permutation]
    other: Variables
    by_weights: Mapping[str, Likeness]
    by_activations: Mapping[str, Likeness]

    @cached_property
    def variables(self) -> Variables:
        """The variables of B with its units in A's order: the same function as B's."""
        return permute(self.other, self.tied, self.permutations)

    @property
    def moved(self) -> int:
        """How many units are not where they were."""
        return sum(each.moved for each in self.permutations.values())

    @property
    def flipped(self) -> int:
        """How many units have changed their sign."""
        return int(sum((each.signs < 0).sum() for each in self.permutations.values()))


def align(
    a: Net, b: Net, images: Any = None, *, by: str = "weights", seed: int = 0, report: Report | None = None
) -> Aligned:
    """The units of B, of its first member, matched to those of A by `match_units`.

    `by` says what counts: "weights", "activations" (over the uint8 images), or "both" in equal shares. Raises
    InputError if the networks do not have the same units (`why_not`), or for activations without images.
    """
    check_known("way to match units", by, WAYS)
    if reason := why_not(a, b):
        raise InputError(reason)
    if by != "weights" and images is None:
        raise InputError("Units are matched by activations over images; none were given.")
    tied = ties(a.model, a.variables, a.image_shape)
    found: dict[str, list[np.ndarray]] = {}
    if images is not None:
        one, other = (Reader(net.model, net.variables, prepare=net.prepare) for net in (a, b))
        found = correlations(one, other, tied, images, shifts=SHIFTS, report=report)
    activations = NOTHING if by == "weights" else {name: each[0] for name, each in found.items()}
    order = match_units(tied, a.variables, b.variables, activations=activations, weights=by != "activations", seed=seed)
    responses = {name: _of_responses(each, order[name], is_same(a, b)) for name, each in found.items()}
    return Aligned(tied, order, b.variables, _of_weights(tied, a, b, order, seed), responses)


def why_not(a: Net, b: Net) -> str:
    """A sentence on why the units of two networks cannot be matched; empty if they can."""
    shapes = [jax.tree.map(np.shape, probe.as_variables(net.variables)) for net in (a, b)]
    if shapes[0] == shapes[1] and (
        a.model == b.model or _same(*(ties(n.model, n.variables, n.image_shape) for n in (a, b)))
    ):
        return ""
    same, *_ = same_shapes(weights(a.variables), weights(b.variables))
    names = ", ".join(one if one == other else f"{one} / {other}" for one, other in same[:6])
    which = f"the same shapes have the kernels of {names}" if same else "no kernels have the same shape"
    return f"{a.name} and {b.name} do not have the same layers, so their units are not matched; {which}."


def _same(one: Ties, other: Ties) -> bool:
    """Whether two networks tie the same units together."""
    described = lambda tied: [
        [(place.leaf, place.axis, place.positions.tolist(), place.columns, place.across) for place in group.places]
        for group in tied.groups
    ]
    return one.leaves == other.leaves and described(one) == described(other)


def _of_responses(found: Sequence[np.ndarray], order: Permutation, same: bool) -> Likeness:
    """Correlations of matched units; by chance, those of the best match where B saw other images."""
    first, *shifted = found
    own = first[np.arange(len(first)), order.order] * order.signs
    varies = first.any(axis=1) | np.asarray(first.any(axis=0))[order.order]
    own = np.where(varies, 1.0 if same else own, np.nan)  # of one network 1 but for rounding
    return Likeness(own, np.stack([each[np.arange(len(each)), assigned(each)] for each in shifted]))


def _of_weights(tied: Ties, a: Net, b: Net, order: Mapping[str, Permutation], seed: int) -> dict[str, Likeness]:
    leaves = [jax.tree.leaves(probe.as_variables(each)) for each in (a.variables, permute(b.variables, tied, order))]
    rng = np.random.default_rng(seed)
    one, other = leaves
    parts = lambda group: (_parts(tied, group, one), _parts(tied, group, other))
    return {group.name: likeness(*parts(group), rng) for group in tied.groups}


def _parts(tied: Ties, group: Group, leaves: Sequence[Any]) -> list[Features]:
    """All parameters from and to the units of a group, one array per variable."""
    own = [place for place in group.places if tied.leaves[place.leaf].split("/")[0] == "params"]
    return [features(leaves[place.leaf], place).astype(np.float32) for place in own]


def likeness(one: Sequence[Features], other: Sequence[Features], rng: np.random.Generator) -> Likeness:
    """Cosines of units with the same number; by chance, of the best match where each of the others' weights are in
    random order within their variable.
    """
    mine, theirs = unit_rows(np.concatenate(one, axis=1)), unit_rows(np.concatenate(other, axis=1))
    draws = int(np.clip(MOST_VALUES / max(theirs.size, 1), 2, SHUFFLES))
    null = []
    for _ in range(draws):
        shuffled = np.concatenate([rng.permuted(each, axis=1) for each in other], axis=1)
        found = mine @ unit_rows(shuffled).T
        null.append(found[np.arange(len(found)), assigned(found.astype(np.float64))])
    cosines = (mine * theirs).sum(axis=1).astype(np.float64)
    is_equal = (mine == theirs).all(axis=1) & mine.any(axis=1)
    return Likeness(np.where(is_equal, 1.0, cosines), np.stack(null).astype(np.float64))


def unit_rows(rows: Features) -> Features:
    """The rows divided by their lengths; those of length zero stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
