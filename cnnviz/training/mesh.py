"""The devices that a training runs on, of all processes, and how arrays lie on them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from cnnviz.errors import InputError
from cnnviz.types import PyTree


def mesh_of(devices: int | None = None) -> Mesh:
    """The first so many devices, all by default, in one row; each computes its share of a batch."""
    there = jax.devices()
    if devices is not None and not 1 <= devices <= len(there):
        raise InputError(f"devices must be 1 to {len(there)}, as many as there are; it was {devices}.")
    if devices is not None and devices < len(there) and jax.process_count() > 1:
        raise InputError(f"Several processes use all of their {len(there)} devices; devices was {devices}.")
    return _row(there[:devices])


def here() -> Mesh:
    """One device of this process alone."""
    return _row(jax.local_devices()[:1])


def _row(devices: Sequence[Any]) -> Mesh:
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def check_batch(batch_size: int, mesh: Mesh) -> None:
    """An InputError for a batch that the devices cannot share evenly."""
    if batch_size % mesh.size:
        raise InputError(f"A batch is shared evenly by {mesh.size} devices; batch_size was {batch_size}.")


def in_flight(mesh: Mesh) -> int:
    """How many calls may be handed over and not waited for; more than one can deadlock several CPU devices."""
    return 1 if mesh.size > 1 and mesh.local_devices[0].platform == "cpu" else 8


def on_all(mesh: Mesh) -> NamedSharding:
    """Every device has the whole array."""
    return NamedSharding(mesh, P())


def replicated(tree: PyTree, mesh: Mesh) -> PyTree:
    """The tree's arrays, whole on every device; all processes give the same."""
    return jax.tree.map(lambda leaf: _placed(leaf.shape, on_all(mesh), lambda at: np.asarray(leaf)[at]), tree)


def shared(shape: tuple[int, ...], axis: int, part: Callable[[tuple[slice, ...]], np.ndarray], mesh: Mesh) -> jax.Array:
    """An array whose `axis` is divided among the devices; `part` gives what this process needs of it."""
    return _placed(shape, NamedSharding(mesh, P(*[None] * axis, "data")), part)


def _placed(shape: tuple[int, ...], sharding: NamedSharding, part: Callable) -> jax.Array:
    return jax.make_array_from_callback(shape, sharding, part)
