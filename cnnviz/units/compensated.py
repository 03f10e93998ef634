"""Sums of float32 numbers whose rounding errors are kept: a pair of a sum and of what it lacks."""

import jax.numpy as jnp

from cnnviz.types import Array

Pair = tuple[Array, Array]


def zero(*shape: int) -> Pair:
    """The empty sum."""
    return jnp.zeros(shape), jnp.zeros(shape)


def plus(pair: Pair, more: Array) -> Pair:
    """The sum with `more` added, exact to about twice the digits of float32 (Knuth's two-sum)."""
    total, lacking = pair
    new = total + more
    taken = new - total
    lost = (total - (new - taken)) + (more - taken)
    return new, lacking + lost


def both(pair: Pair, other: Pair) -> Pair:
    """The sum of two sums."""
    return plus(plus(pair, other[0]), other[1])
