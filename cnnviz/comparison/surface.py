"""Loss and accuracy over a plane around a network, in random directions that are normalized filter by filter.

Li et al., "Visualizing the Loss Landscape of Neural Nets", 2018.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.batching import Report
from cnnviz.comparison.path import NO_PREPARE, Losses, Prepare, losses
from cnnviz.types import Variables


def direction(variables: Variables, seed: int) -> Variables:
    """A random direction in which each filter is as long as the network's own; biases and normalizations stay.

    A filter is what a kernel has for one output, along its last axis.
    """
    rng = np.random.default_rng(seed)

    def drawn(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        if leaf.ndim < 2:
            return np.zeros_like(leaf)
        noise, axes = rng.normal(size=leaf.shape), tuple(range(leaf.ndim - 1))
        length = lambda values: np.sqrt((np.square(values, dtype=np.float64)).sum(axes, keepdims=True))
        return (noise * length(leaf) / length(noise)).astype(leaf.dtype)

    return {name: jax.tree.map(drawn if name == "params" else np.zeros_like, tree) for name, tree in variables.items()}


def surface(
    model: Any,
    variables: Variables,
    images: Any,
    labels: Int[np.ndarray, " n"],
    *,
    shares: Sequence[float | int] = (-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1),
    seed: int = 0,
    prepare: Prepare = NO_PREPARE,
    statistics_from: Any = None,
    report: Report | None = None,
) -> Losses:
    """Loss and accuracy `[steps, steps]` over the plane of two random, filter-normalized directions.

    A step of 1 moves each filter by its own length; rows go along the first direction, columns along the second.
    """
    one, other = direction(variables, 2 * seed), direction(variables, 2 * seed + 1)
    at = lambda i, k: jax.tree.map(lambda w, u, v: (w + i * u + k * v).astype(w.dtype), variables, one, other)
    networks = (at(i, k) if i or k else variables for i in shares for k in shares)
    found = losses(model, networks, len(shares) ** 2, images, labels, prepare, statistics_from, report)
    side = (len(shares), len(shares))
    return Losses(found.loss.reshape(side), found.accuracy.reshape(side))
