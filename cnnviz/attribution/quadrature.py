"""QUADRATURES: nodes and weights `[n]` of integrals from 0 to 1, by name; the weights sum to 1."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from cnnviz.errors import InputError, check_known

Nodes = Float[np.ndarray, " n"]
MOST = 2000


def gauss_legendre(n: int) -> tuple[Nodes, Nodes]:
    """Exact for polynomials of degree 2n - 1; its nodes take n^2 numbers to find."""
    if n > MOST:
        raise InputError(f"Gauss-Legendre quadrature takes at most {MOST:,} samples, midpoint any; samples was {n:,}.")
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (1 + nodes) / 2, weights / 2


def midpoint(n: int) -> tuple[Nodes, Nodes]:
    """Nodes (i + 1/2) / n."""
    return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)


def trapezoid(n: int) -> tuple[Nodes, Nodes]:
    """The ends are nodes too, with half the weight of the others."""
    if n < 2:
        raise InputError(f"The trapezoid rule needs at least two samples, the ends; samples was {n}.")
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, n), weights


def left(n: int) -> tuple[Nodes, Nodes]:
    """Nodes i / n, without the right end."""
    return np.arange(n) / n, np.full(n, 1 / n)


def right(n: int) -> tuple[Nodes, Nodes]:
    """Nodes (i + 1) / n, without the left end."""
    return np.arange(1, n + 1) / n, np.full(n, 1 / n)


QUADRATURES: dict[str, Callable[[int], tuple[Nodes, Nodes]]] = {
    "gauss_legendre": gauss_legendre,
    "midpoint": midpoint,
    "trapezoid": trapezoid,
    "left": left,
    "right": right,
}


def quadrature(name: str, n: int, dtype: Any = np.float32) -> tuple[Nodes, Nodes]:
    """The nodes and weights `[n]` of the named rule, in the precision of the images."""
    check_known("quadrature", name, QUADRATURES)
    nodes, weights = QUADRATURES[name](n)
    return nodes.astype(dtype), weights.astype(dtype)
