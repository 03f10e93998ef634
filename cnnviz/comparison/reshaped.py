"""The axes of a value after its shape has changed: merged, split, or with axes of size one."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from cnnviz.comparison.axes import Axes, Axis, Fixed, Ledger, Split, Units, constant, distinct


def reshaped(ledger: Ledger, axes: Axes, before: Sequence[int], after: Sequence[int]) -> Axes:
    """The axes of a value of shape `before` whose values are put into the shape `after`, in their order."""
    found: list[Axis] = []
    for source, target in _groups(before, after):
        merged = _merged(ledger, [axes[i] for i in source], source)
        found += _divided(ledger, merged, [after[i] for i in target], len(found))
    return tuple(found)


def _groups(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Which axes become which: the smallest runs of both that have the same number of positions."""
    i = k = 0
    while i < len(before) or k < len(after):
        source, target = ([i], []) if i < len(before) else ([], [k])
        i, k = i + len(source), k + len(target)
        while (taken := math.prod(before[a] for a in source)) != (made := math.prod(after[a] for a in target)):
            if taken < made:
                source.append(i)
                i += 1
            else:
                target.append(k)
                k += 1
        if i == len(before):
            target += range(k, len(after))
            k = len(after)
        yield source, target


def _merged(ledger: Ledger, axes: Sequence[Axis], places: Sequence[int]) -> Axis:
    """Several axes as one; of several with units only the last one's stay units."""
    kept_places = [i for i, axis in enumerate(axes) if _size(axis) > 1]
    for i in set(range(len(axes))) - set(kept_places):
        ledger.fix(axes[i])
    axes, places = [axes[i] for i in kept_places] or [constant(1)], [places[i] for i in kept_places]
    if len(axes) == 1:
        return axes[0] if not isinstance(axes[0], Split) else ledger.fix(axes[0])
    if len(axes) == 2 and isinstance(axes[1], Split) and places[-2] == axes[1].over and isinstance(axes[0], Fixed):
        return ledger.made(axes[1].atoms.ravel(), axes[1].parity)
    moving = [axis for axis in axes if not isinstance(axis, Fixed)]
    kept = moving[-1] if moving and isinstance(moving[-1], Units) else None
    axes = [axis if axis is kept or isinstance(axis, Fixed) else ledger.fix(axis) for axis in axes]
    if kept is None:
        grid = np.meshgrid(*(axis.ids for axis in axes if isinstance(axis, Fixed)), indexing="ij")
        return Fixed(np.unique(np.stack([g.ravel() for g in grid]), axis=1, return_inverse=True)[1].reshape(-1))
    sizes = [_size(axis) for axis in axes]
    place = [axis is kept for axis in axes].index(True)
    shape = [n if i == place else 1 for i, n in enumerate(sizes)]
    merged = ledger.made(np.broadcast_to(kept.atoms.reshape(shape), sizes).ravel(), kept.parity)
    for i, axis in enumerate(axes):
        if isinstance(axis, Fixed) and axis.ids.any():  # the order of a unit's positions, which stays
            ids = np.broadcast_to(axis.ids.reshape([n if k == i else 1 for k, n in enumerate(sizes)]), sizes)
            ledger.tell_apart(merged, ids.ravel())
    return merged


def _size(axis: Axis) -> int:
    return len(axis.ids) if isinstance(axis, Fixed) else axis.atoms.shape[-1]


def _divided(ledger: Ledger, axis: Axis, sizes: Sequence[int], first: int) -> list[Axis]:
    """One axis as several of these sizes, the first of which has the number `first`."""
    large = [i for i, n in enumerate(sizes) if n != 1]
    found: list[Axis] = [constant(1)] * len(sizes)
    if len(large) <= 1:
        if large:
            found[large[0]] = axis
        elif sizes and not isinstance(axis, Fixed):
            found[-1] = axis
        return found
    if isinstance(axis, Units) and len(large) == 2:
        outer, inner = large
        atoms = axis.atoms.reshape(sizes[outer], sizes[inner])
        ledger.tell_apart(axis, np.repeat(np.arange(sizes[outer]), sizes[inner]))
        ledger.once.append(axis.atoms)
        found[outer], found[inner] = distinct(sizes[outer]), Split(atoms, axis.parity, first + outer)
        return found
    varies = not isinstance(axis, Fixed) or axis.ids.any()
    if not isinstance(axis, Fixed):
        ledger.fix(axis)
    return [distinct(n) if varies else constant(n) for n in sizes]
