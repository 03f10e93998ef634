"""Batches from images on the devices, or from images in host memory that are gathered for each step.

Either way images are transferred as uint8, and the same rows give the same bits.
"""

from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from cnnviz.errors import memory
from cnnviz.training.mesh import replicated, shared
from cnnviz.types import Array

SHARE = 0.25  # of a device's memory that a data set may take; a larger one stays in host memory


class Batches(NamedTuple):
    """The batches of some steps: `rows` `[..., steps, batch]` of all images, or without rows the batches themselves."""

    images: Any
    labels: Any
    rows: Any

    def at(self, step: int | Array) -> tuple[Array, Array]:
        """The images and labels of one step, uint8 `[batch h w c]` and int `[batch]`."""
        if self.rows is None:
            return self.images[step], self.labels[step]
        return self.images[self.rows[step]], self.labels[self.rows[step]]


class Resident:
    """All images on every device; each step gathers its batch there."""

    keeps_images, steps_per_call = True, 1000
    axes = Batches(None, None, 0)  # the axis over members

    def __init__(self, images: Any, labels: Any, mesh: Mesh):
        self.mesh = mesh
        self.images, self.labels = replicated((images, labels), mesh)

    def __call__(self, rows: Int[np.ndarray, "..."]) -> Batches:
        on_devices = rows if self.mesh.size == 1 else shared(rows.shape, rows.ndim - 1, rows.__getitem__, self.mesh)
        return Batches(self.images, self.labels, on_devices)


class OnHost:
    """All images in host memory; each process gathers its rows of a batch while the previous step runs."""

    keeps_images, steps_per_call = False, 1
    axes = Batches(0, 0, None)

    def __init__(self, images: Any, labels: Any, mesh: Mesh):
        self.images, self.labels, self.mesh = images, labels, mesh

    def __call__(self, rows: Int[np.ndarray, "..."]) -> Batches:
        gathered = lambda all_rows: shared(
            rows.shape + all_rows.shape[1:],
            rows.ndim - 1,
            lambda at: np.asarray(all_rows[rows[at[: rows.ndim]]]),
            self.mesh,
        )
        return Batches(gathered(self.images), gathered(self.labels), None)


Feed = Resident | OnHost


def feed_of(images: Any, labels: Any, mesh: Mesh, where: str = "auto") -> Feed:
    """The feed of these images, uint8 `[n h w c]`, and labels, int `[n]`.

    `where` is "device", "host", or "auto": on the devices if the images take at most `SHARE` of their memory.
    """
    if where == "auto":
        where = "device" if images.nbytes <= SHARE * memory.of_device(mesh.local_devices[0]) else "host"
    return (Resident if where == "device" else OnHost)(images, labels, mesh)
