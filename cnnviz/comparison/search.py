"""The search for the permutations of units that make one network's parameters most like another's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from cnnviz.comparison.permute import Permutation, Permutations, moved
from cnnviz.comparison.ties import Group, Place, Ties

Similarity = Float[np.ndarray, "_ _"]
SWEEPS = 100


def assigned(similarity: Similarity) -> np.ndarray:
    """For each row the column of the assignment with the largest sum; of equal ones that nearest to the diagonal."""
    largest = float(np.abs(similarity).max(initial=0)) or 1.0
    return linear_sum_assignment(similarity / largest + 1e-12 * np.eye(*similarity.shape), maximize=True)[1]


@dataclass(frozen=True)
class Search:
    """The inner product of A's parameters with B's permuted ones, as a function of the permutations."""

    tied: Ties
    a: Sequence[Any]
    b: Sequence[Any]
    activations: Mapping[str, Similarity]
    weights: bool
    signs: bool

    @property
    def identity(self) -> dict[str, Permutation]:
        """Every unit where it is."""
        return {group.name: Permutation.of(np.arange(group.size)) for group in self.tied.groups}

    @cached_property
    def are_equal(self) -> bool:
        """Whether both networks have the same variables."""
        return all(np.array_equal(one, other) for one, other in zip(self.a, self.b, strict=True))

    @cached_property
    def share(self) -> float:
        """What a correlation counts, so that those of all units count as much as all parameters."""
        if not self.weights:
            return 1.0
        leaves = {place.leaf for group in self.tied.groups for place in self.places(group)}
        norm = lambda each: np.sqrt(sum(float(np.square(np.asarray(each[i], float)).sum()) for i in leaves))
        return norm(self.a) * norm(self.b) / max(sum(group.size for group in self.tied.groups), 1)

    @cached_property
    def most(self) -> float:
        """What no permutations can exceed, up to rounding: reached if B is A with its units in another order."""
        units = sum(group.size for group in self.tied.groups if group.name in self.activations)
        leaves = [i for i in self.by_leaf if self.tied.leaves[i].split("/")[0] == "params"]
        norm = lambda each: np.sqrt(sum(float(np.square(np.asarray(each[i], float)).sum()) for i in leaves))
        return (1 - 1e-9) * (norm(self.a) * norm(self.b) + self.share * units)

    @cached_property
    def by_leaf(self) -> dict[int, list[tuple[str, Place]]]:
        """The groups and places in each variable."""
        found: dict[int, list[tuple[str, Place]]] = {}
        for group in self.tied.groups:
            for place in group.places:
                found.setdefault(place.leaf, []).append((group.name, place))
        return found

    def places(self, group: Group) -> list[Place]:
        """The group's places in parameters; running statistics follow from those."""
        return [place for place in group.places if self.tied.leaves[place.leaf].split("/")[0] == "params"]

    def in_order(self) -> dict[str, Permutation]:
        """Groups matched one after another, each by its weights from and to units that are matched already."""
        found: dict[str, Permutation] = {}
        left = list(self.tied.groups)
        while left:
            known = ((group, self.similarity(group, found, only_known=True)) for group in left)
            ready = next((each for each in known if any(np.any(part) for part in each[1])), None)
            group, similarity = ready or (left[0], self.regardless(left[0]))
            found[group.name] = self.best(group, similarity)
            left.remove(group)
        return found

    def improved(self, begin: Permutations, rng: np.random.Generator) -> dict[str, Permutation]:
        """The permutations after sweeps over all groups in random order, until none of them changes."""
        found = dict(begin)
        if not self.weights:
            return found
        for _ in range(SWEEPS):
            steps = [self._step(self.tied.groups[i], found) for i in rng.permutation(len(self.tied.groups))]
            if not any(steps):
                break
        return found

    def _step(self, group: Group, found: dict[str, Permutation]) -> bool:
        """Match one group with all others as they are; whether that was better."""
        new = self.best(group, self.similarity(group, found))
        before, after = (self.value_of(group, {**found, group.name: each}) for each in (found[group.name], new))
        if after <= before + 1e-9 * abs(before):
            return False
        found[group.name] = new
        return True

    def best(self, group: Group, similarity: tuple[Similarity, Similarity]) -> Permutation:
        """The assignment of units, and their signs, that have the largest similarity."""
        signed, unsigned = similarity
        if not (self.signs and group.odd):
            return Permutation.of(assigned(signed + unsigned))
        order = assigned(np.abs(signed) + unsigned)
        chosen = signed[np.arange(group.size), order]
        return Permutation.of(order, np.where(chosen < 0, -1.0, 1.0))

    def similarity(
        self, group: Group, permutations: Permutations, only_known: bool = False
    ) -> tuple[Similarity, Similarity]:
        """Inner products of A's units (rows) with B's: of what flips with a unit's sign, and of what does not.

        The other groups are permuted. With `only_known`, what belongs to units without a permutation is left out.
        """
        parts = np.zeros((2, group.size, group.size))
        for place in self.places(group) if self.weights else ():
            others = [each for each in self.by_leaf[place.leaf] if each[1] is not place]
            if only_known and any(name not in permutations and _meets(place, other) for name, other in others):
                continue
            leaf = np.asarray(self.b[place.leaf])
            for name, other in others:
                if name in permutations:
                    leaf = moved(leaf, other, permutations[name])
            parts[0 if place.signed else 1] += features(self.a[place.leaf], place) @ features(leaf, place).T
        if group.name in self.activations:
            parts[0] += self.share * self.activations[group.name]
        return parts[0], parts[1]

    def regardless(self, group: Group) -> tuple[Similarity, Similarity]:
        """Inner products of the units' sorted weights without signs, whatever units they belong to."""
        found = np.zeros((2, group.size, group.size))
        for place in self.places(group):
            one, other = (np.sort(np.abs(features(each[place.leaf], place))) for each in (self.a, self.b))
            found[1] += one @ other.T
        return found[0], found[1]

    def value_of(self, group: Group, permutations: Permutations) -> float:
        """The objective, as far as it depends on the group."""
        total = 0.0
        for number in {place.leaf for place in self.places(group)} if self.weights else ():
            leaf = np.asarray(self.b[number])
            for name, place in self.by_leaf[number]:
                leaf = moved(leaf, place, permutations[name])
            total += float(np.vdot(np.asarray(self.a[number], float), np.asarray(leaf, float)))
        return total + self._of_activations(group, permutations)

    def _of_activations(self, group: Group, permutations: Permutations) -> float:
        if group.name not in self.activations:
            return 0.0
        its = permutations[group.name]
        return self.share * float((self.activations[group.name][np.arange(group.size), its.order] * its.signs).sum())

    def value(self, permutations: Permutations) -> float:
        """The objective: the inner product of all parameters, and the sum of correlations."""
        leaves = self._permuted(permutations) if self.weights else ()
        product = sum(float(np.vdot(np.asarray(self.a[i], float), np.asarray(leaf, float))) for i, leaf in leaves)
        return product + sum(self._of_activations(group, permutations) for group in self.tied.groups)

    def _permuted(self, permutations: Permutations) -> Iterator[tuple[int, np.ndarray]]:
        for number, places in self.by_leaf.items():
            if self.tied.leaves[number].split("/")[0] == "params":
                leaf = np.asarray(self.b[number])
                for name, place in places:
                    leaf = moved(leaf, place, permutations[name])
                yield number, leaf


def features(leaf: Any, place: Place) -> Float[np.ndarray, "n f"]:
    """The numbers that a variable has for each unit at a place, in float64."""
    array = np.asarray(leaf, np.float64)
    if place.columns:
        array = array.take(place.columns, place.across)
    return np.moveaxis(array, place.axis, 0)[place.positions].reshape(len(place.positions), -1)


def _meets(place: Place, other: Place) -> bool:
    """Whether a unit at the one place has numbers that belong to units at the other."""
    if place.axis != other.axis:
        return not (place.columns and other.columns) or bool(set(place.columns) & set(other.columns))
    return False
