"""A network with its hidden units in another order, and with other signs: the same function, other variables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from cnnviz import probe
from cnnviz.comparison.ties import Group, Place, Ties
from cnnviz.errors import InputError
from cnnviz.types import Variables, VariablesLike

Leaf = np.ndarray


@dataclass(frozen=True)
class Permutation:
    """Unit i is the former unit `order[i]`, multiplied by `signs[i]`, which is 1 or -1."""

    order: Int[np.ndarray, " n"]
    signs: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, order: Any, signs: Any = None) -> "Permutation":
        """The permutation of this order; without signs, none is changed."""
        order = np.asarray(order)
        return cls(order, np.ones(len(order)) if signs is None else np.asarray(signs, float))

    @property
    def is_identity(self) -> bool:
        """Whether every unit stays where and as it is."""
        return bool((self.order == np.arange(len(self.order))).all() and (self.signs == 1).all())

    @property
    def moved(self) -> int:
        """How many units are at another place than before."""
        return int((self.order != np.arange(len(self.order))).sum())

    def check(self, group: Group) -> None:
        """Raises InputError unless it is a permutation of the group's units, with signs that they may have."""
        if not np.array_equal(np.sort(self.order), np.arange(group.size)):
            raise InputError(
                f"A permutation of {group.name} has each number from 0 to {group.size - 1} once; it was "
                f"{np.array2string(self.order, threshold=8)}."
            )
        if not np.isin(self.signs, (-1, 1)).all() or (not group.odd and (self.signs < 0).any()):
            raise InputError(
                f"The signs of {group.name} are {'1 or -1' if group.odd else '1: it is followed by '}"
                f"{'' if group.odd else 'a function that is not odd, such as ReLU'}."
            )


Permutations = Mapping[str, Permutation]


def permute(variables: VariablesLike, tied: Ties, permutations: Permutations) -> Variables:
    """The variables with the units of each named group in their new order; the network's function stays the same.

    `tied` are the model's `ties`. Groups without a permutation stay as they are. Raises InputError for a name that is
    not a group's, and for what is not a permutation of its units.
    """
    leaves, structure = jax.tree.flatten(probe.as_variables(variables))
    names = [group.name for group in tied.groups]
    for name, permutation in permutations.items():
        if name not in names:
            raise InputError(f"{name!r} is not a group of units; the groups are {', '.join(names)}.")
        permutation.check(tied[name])
    if len(leaves) != len(tied.leaves):
        raise InputError(f"The ties are of {len(tied.leaves)} variables; these are {len(leaves)}.")
    return jax.tree.unflatten(structure, permuted_leaves(leaves, tied.groups, permutations))


def permuted_leaves(leaves: Sequence[Any], groups: Collection[Group], permutations: Permutations) -> list[Any]:
    """The variables as a list; those that no permutation changes are the same objects."""
    found = list(leaves)
    for group in groups:
        permutation = permutations.get(group.name)
        if permutation is None or permutation.is_identity:
            continue
        for place in group.places:
            found[place.leaf] = moved(np.asarray(found[place.leaf]), place, permutation)
    return found


def moved(leaf: Leaf, place: Place, permutation: Permutation) -> Leaf:
    """One variable with the units at one place in their new order."""
    if place.columns:
        part = leaf.take(place.columns, place.across)
        whole = np.moveaxis(leaf.copy(), place.across, 0)
        whole[list(place.columns)] = np.moveaxis(_moved(part, place, permutation), place.across, 0)
        return np.moveaxis(whole, 0, place.across)
    return _moved(leaf, place, permutation)


def _moved(leaf: Leaf, place: Place, permutation: Permutation) -> Leaf:
    index = np.arange(leaf.shape[place.axis])
    index[place.positions] = place.positions[permutation.order]
    found = leaf.take(index, place.axis)
    if place.signed and (permutation.signs < 0).any():
        signs = np.ones(leaf.shape[place.axis], leaf.dtype)
        signs[place.positions] = permutation.signs[:, None]
        found = found * signs.reshape([-1 if i == place.axis else 1 for i in range(leaf.ndim)])
    return found


def random_permutations(tied: Ties, rng: np.random.Generator, signs: bool = False) -> dict[str, Permutation]:
    """A random order of the units of every group and, with `signs`, random signs where they may change."""
    flips = lambda group: rng.choice([-1.0, 1.0], group.size) if signs and group.odd else None
    return {group.name: Permutation.of(rng.permutation(group.size), flips(group)) for group in tied.groups}
