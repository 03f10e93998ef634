"""The axes of a graph's values: which positions are units that may change places, and what ties them to each other.

Every position of a variable's axis begins as a unit of its own. Operations tie units (the outputs of a convolution, the
statistics of the BatchNorm after it, the inputs of the next layer) or tell them apart (a slice, a place in an image).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ids = Int[np.ndarray, "_"]
EVEN = 0  # the parity of what does not change its sign with its unit


@dataclass(frozen=True, eq=False)
class Fixed:
    """An axis without units: values at two positions with the same number are equal, or change places freely."""

    ids: Ids


@dataclass(frozen=True, eq=False)
class Units:
    """An axis whose positions are units, by their numbers; `parity` says whether values flip sign with their unit."""

    atoms: Ids
    parity: int


@dataclass(frozen=True, eq=False)
class Split:
    """The inner axis of units `[outer, inner]` in blocks, whose outer axis is the axis `over`."""

    atoms: Int[np.ndarray, "_ _"]
    parity: int
    over: int


Axis = Fixed | Units | Split
Axes = tuple[Axis, ...]


def distinct(n: int) -> Fixed:
    """An axis whose positions are all told apart, as those of an image are."""
    return Fixed(np.arange(n))


def constant(n: int) -> Fixed:
    """An axis along which nothing changes, as after a broadcast."""
    return Fixed(np.zeros(n, int))


def is_constant(axis: Axis) -> bool:
    """Whether nothing changes along the axis."""
    return isinstance(axis, Fixed) and not axis.ids.any()


@dataclass(eq=False)
class Ledger:
    """What operations say of units: which are one unit, which are told apart, and whose signs go together."""

    atoms: int = 0
    parities: int = 1
    ties: list[tuple[Ids, Ids]] = field(default_factory=list)
    signs: list[tuple[int, int]] = field(default_factory=list)
    marks: list[tuple[Ids, Ids]] = field(default_factory=list)  # units, and the numbers that tell them apart
    once: list[Ids] = field(default_factory=list)  # of which each unit must be there once

    def units(self, n: int) -> Units:
        """An axis of new units."""
        self.atoms += n
        self.parities += 1
        return self.made(np.arange(self.atoms - n, self.atoms), self.parities - 1)

    def made(self, atoms: Ids, parity: int) -> Units:
        """An axis of known units in a new order."""
        self.marks.append((atoms, np.zeros(len(atoms), int)))
        return Units(atoms, parity)

    def fix(self, axis: Axis) -> Fixed:
        """The axis with all its positions told apart."""
        if isinstance(axis, Fixed):
            return distinct(len(axis.ids))
        self.tell_apart(axis, np.arange(axis.atoms.size))
        self.even(axis)
        return distinct(axis.atoms.shape[-1])

    def tell_apart(self, axis: Units | Split, ids: Ids) -> None:
        """Only units with the same numbers may change places."""
        self.marks.append((axis.atoms.ravel(), ids))

    def even(self, axis: Axis) -> None:
        """The values along this axis keep their sign."""
        if not isinstance(axis, Fixed):
            self.signs.append((axis.parity, EVEN))

    def same_signs(self, one: Axis, other: Axis) -> None:
        """The values along both axes change their signs together."""
        if isinstance(one, Fixed) and isinstance(other, Fixed):
            return
        parity = lambda axis: EVEN if isinstance(axis, Fixed) else axis.parity
        self.signs.append((parity(one), parity(other)))

    def joined(self, axes: Sequence[Axis]) -> Axis:
        """The axis of an elementwise operation on values with these axes."""
        moving = [axis for axis in axes if not isinstance(axis, Fixed)]
        fixed = [axis.ids for axis in axes if isinstance(axis, Fixed) and axis.ids.any()]
        if not moving:
            return axes[0] if not fixed else Fixed(_combined(fixed))
        first, *others = moving
        if all(np.array_equal(first.atoms, other.atoms) for other in others) and not fixed:
            return first
        if any(isinstance(axis, Split) for axis in moving):
            return [self.fix(axis) for axis in moving][0]
        for other in others:
            self.ties.append((first.atoms, other.atoms))
        for ids in fixed:
            self.tell_apart(first, ids)
        return first

    def contracted(self, one: Axis, other: Axis) -> None:
        """Both axes are multiplied position by position and summed over."""
        self.same_signs(one, other)
        self.joined([one, other])

    def classes(self) -> Ids:
        """The unit that each atom is: the same number for atoms that are tied."""
        pairs = [np.concatenate(each) for each in zip(*self.ties, strict=True)] if self.ties else [np.zeros(0, int)] * 2
        return _components(pairs[0], pairs[1], self.atoms)

    def is_odd(self) -> np.ndarray:
        """For each parity, whether its values may change their sign."""
        one, other = np.array(self.signs or [(EVEN, EVEN)]).T
        found = _components(one, other, self.parities)
        return found != found[EVEN]

    def groups(self, classes: Ids) -> list[list[int]]:
        """The units that may change places with each other, by their classes: those of which the same is said."""
        said: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, (atoms, ids) in enumerate(self.marks):
            for unit, mark in zip(classes[atoms].tolist(), ids.tolist(), strict=True):
                said[unit].append((number, mark))
        for atoms in self.once:
            units, counts = np.unique(classes[atoms], return_counts=True)
            for unit in units[counts > 1].tolist():
                said[unit].append((-1, unit))
        alike: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
        for unit, marks in said.items():
            alike[tuple(marks)].append(unit)
        return [units for units in alike.values() if len(units) > 1]


def _combined(ids: Sequence[Ids]) -> Ids:
    """Numbers that are equal where all of these are."""
    return np.unique(np.stack(ids), axis=1, return_inverse=True)[1].reshape(-1)


def _components(one: Ids, other: Ids, n: int) -> Ids:
    edges = coo_array((np.ones(len(one)), (one, other)), shape=(n, n))
    return connected_components(edges, directed=False)[1]
