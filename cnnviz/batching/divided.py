"""Rows that are divided among devices: each chunk takes as many of every device's rows, so none of them travel.

A compiled call then serves all devices, and its result is divided as the rows were given. Within a call the axes of the
mesh are JAX's automatic ones, so that functions are written without a word about devices.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from cnnviz.errors import InputError
from cnnviz.types import PyTree


@dataclass(frozen=True)
class Division:
    """How rows are divided among devices: as `given`, along their first axis; None if they are not."""

    given: NamedSharding | None

    @cached_property
    def inside(self) -> NamedSharding:
        """The same division with automatic axes, as compiled calls have it."""
        assert self.given is not None
        mesh = self.given.mesh
        automatic = Mesh(np.asarray(mesh.devices), mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))
        return NamedSharding(automatic, PartitionSpec(self.given.spec[0]))

    @property
    def blocks(self) -> int:
        """How many blocks of rows there are, each of them on one device or repeated on several."""
        if self.given is None:
            return 1
        along = self.given.spec[0]
        return math.prod(self.given.mesh.shape[name] for name in (along if isinstance(along, tuple) else (along,)))

    def place(self, rows: PyTree) -> PyTree:
        """All of the rows divided alike."""
        return rows if self.given is None else jax.device_put(rows, self.inside)

    def back(self, rows: PyTree) -> PyTree:
        """What was computed for rows, divided as they were given."""
        if self.given is None:
            return rows
        return jax.device_put(rows, NamedSharding(self.given.mesh, self.inside.spec))

    def by_block(self, operation: Callable[..., Any], *trees: PyTree) -> PyTree:
        """`operation(*leaves)` of the leaves that are in the same place of each tree, block of rows by block."""
        if self.given is None:
            return jax.tree.map(operation, *trees)
        return jax.tree.map(lambda *leaves: self._leaf(operation, leaves), *map(self.place, trees))

    def _leaf(self, operation: Callable[..., Any], leaves: Sequence[jax.Array]) -> jax.Array:
        blocks = zip(*(leaf.addressable_shards for leaf in leaves), strict=True)
        found = [operation(*(block.data for block in of_each)) for of_each in blocks]
        shape = (found[0].shape[0] * self.blocks, *found[0].shape[1:])
        return jax.make_array_from_single_device_arrays(shape, self.inside, found)

    def apart(self, rows: PyTree) -> list[tuple[Any, PyTree]]:
        """Each block of rows, as arrays on one device, and that device. Raises InputError if not all are at hand."""
        leaves, form = jax.tree.flatten(self.place(rows))
        if not self.inside.is_fully_addressable:
            raise InputError("A pass over data needs all of its rows in this process; give it images of its own.")
        each = zip(*([s for s in leaf.addressable_shards if s.replica_id == 0] for leaf in leaves), strict=True)
        return [(block[0].device, jax.tree.unflatten(form, [shard.data for shard in block])) for block in each]


def division_of(rows: PyTree) -> Division:
    """How the first of these arrays that is on several devices is divided; arrays repeated on all of them are not.

    Raises InputError if it is divided along another axis than the first.
    """
    for leaf in jax.tree.leaves(rows):
        sharding = None if isinstance(leaf, Tracer) else getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and not sharding.is_fully_replicated:
            if sharding.shard_shape(leaf.shape)[1:] != leaf.shape[1:]:
                raise InputError(f"Rows are divided along the first axis alone; these are divided as {sharding.spec}.")
            return Division(sharding)
    return Division(None)


def beside(rows: PyTree, tree: PyTree) -> PyTree:
    """The tree, whose arrays all rows share, with complete copies on the devices among which the rows are divided."""
    division = division_of(rows)
    if division.given is None:
        return tree
    return jax.device_put(tree, NamedSharding(division.inside.mesh, PartitionSpec()))
