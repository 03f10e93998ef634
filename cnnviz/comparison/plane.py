"""The plane through three networks: A, B, and B with its units in A's order.

Garipov et al., "Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs", 2018.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from cnnviz.types import Variables

LEAST = 1e-3  # of the distance from A to B: a third network that is no farther from their line is on it


@dataclass(frozen=True)
class Plane:
    """A plane in the space of parameters with A at (0, 0) and B at (1, 0); one unit is the distance from A to B.

    `third` is where the third network is; where that is on the line, the second direction is a random one, and `third`
    is None. All that is not a parameter, such as running statistics, is A's.
    """

    origin: Variables
    across: Any
    up: Any
    third: tuple[float, float] | None

    def at(self, x: float, y: float) -> Variables:
        """The variables at a place of the plane."""
        moved = lambda w, u, v: (np.asarray(w, np.float64) + x * u + y * v).astype(np.asarray(w).dtype)
        params = jax.tree.map(moved, self.origin["params"], self.across, self.up)
        return {**self.origin, "params": params}

    def grid(self, x: Float[np.ndarray, " x"], y: Float[np.ndarray, " y"]) -> Iterator[Variables]:
        """The variables at each place of a grid, row by row."""
        return (self.at(float(i), float(k)) for k in y for i in x)


def plane(a: Variables, b: Variables, third: Variables, seed: int = 0) -> Plane:
    """The plane through three sets of variables with the same shapes."""
    across, toward = _minus(b, a), _minus(third, a)
    length = _dot(across, across) ** 0.5
    share = _dot(toward, across) / length**2 if length else 0.0
    off = jax.tree.map(lambda v, u: v - share * u, toward, across)
    height = _dot(off, off) ** 0.5
    is_off = length > 0 and height > LEAST * length
    if not is_off:
        drawn = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), direction(a, seed)["params"])
        along = _dot(drawn, across) / length**2 if length else 0.0
        off = jax.tree.map(lambda v, u: v - along * u, drawn, across)
        height = _dot(off, off) ** 0.5
    unit = (length or height) / height if height else 0.0
    up = jax.tree.map(lambda v: v * unit, off)
    return Plane(a, across, up, (float(share), float(height / length)) if is_off else None)


def direction(variables: Variables, seed: int) -> Variables:
    """A random direction in which each filter is as long as the network's own; biases and normalizations stay.

    A filter is what a kernel has for one output, along its last axis. Li et al., "Visualizing the
    Loss Landscape of Neural Nets", 2018, section 4.
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


def _minus(one: Variables, other: Variables) -> Any:
    subtract = lambda a, b: np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return jax.tree.map(subtract, one["params"], other["params"])


def _dot(one: Any, other: Any) -> float:
    return sum(float(np.vdot(a, b)) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))
