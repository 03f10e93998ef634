"""The devices of a training, over all processes, and the placement of arrays on them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import span
from cnnviz.types import PyTree


def mesh_of(devices: int | None = None) -> Mesh:
    """A mesh of the first `devices` devices (all by default) along one axis; each computes its share of a batch.

    Raises InputError if there are not as many, or if several processes would not use all of theirs.
    """
    available = jax.devices()
    if devices is not None and not 1 <= devices <= len(available):
        raise OptionError(f"devices must be {span(len(available))}, as many as there are; it was {devices}.")
    if devices is not None and devices < len(available) and jax.process_count() > 1:
        raise InputError(f"Several processes must use all of their {len(available)} devices; devices was {devices}.")
    return _row(available[:devices])


def here() -> Mesh:
    """A mesh of one device of this process."""
    return _row(jax.local_devices()[:1])


def _row(devices: Sequence[Any]) -> Mesh:
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def check_batch(batch_size: int, mesh: Mesh) -> None:
    """Raises InputError if the devices cannot share a batch evenly."""
    if batch_size % mesh.size:
        raise OptionError(f"batch_size must be a multiple of the {mesh.size} devices; it was {batch_size}.")


def in_flight(mesh: Mesh) -> int:
    """How many calls may be dispatched before waiting for the first; more than one can deadlock several CPU devices."""
    return 1 if mesh.size > 1 and mesh.local_devices[0].platform == "cpu" else 8


def on_all(mesh: Mesh) -> NamedSharding:
    """The sharding that puts the complete array on every device."""
    return NamedSharding(mesh, P())


def replicated(tree: PyTree, mesh: Mesh) -> PyTree:
    """The tree with complete copies of its arrays on every device; all processes must pass the same values."""
    return jax.tree.map(lambda leaf: _placed(leaf.shape, on_all(mesh), lambda at: np.asarray(leaf)[at]), tree)


def shared(shape: tuple[int, ...], axis: int, part: Callable[[tuple[slice, ...]], np.ndarray], mesh: Mesh) -> jax.Array:
    """An array whose `axis` is divided among the devices; `part(index)` returns the values at an index of it."""
    return _placed(shape, NamedSharding(mesh, P(*[None] * axis, "data")), part)


def _placed(shape: tuple[int, ...], sharding: NamedSharding, part: Callable) -> jax.Array:
    return jax.make_array_from_callback(shape, sharding, part)
