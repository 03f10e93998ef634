"""The value at a place in the order of many values, without sorting them."""

import jax.numpy as jnp
from jax import lax

from cnnviz.types import Array, Scalar


def smallest(values: Array, place: Array | int, width: int | None = None) -> Scalar:
    """The value at `place` among sorted numbers that are not negative, from 0 on; infinity and then NaN come last.

    Such numbers have the order of their bits, so each bit of the value, from the highest on, is found by counting the
    values below it. On CPU this takes a twentieth of the time of a sort. `width` is how many bits may be set, by
    default all.
    """
    kind = jnp.dtype(f"uint{8 * values.dtype.itemsize}")
    bits, width = lax.bitcast_convert_type(values, kind), jnp.iinfo(kind).bits if width is None else width

    def with_next_bit(i: Array, known: Array) -> Array:
        higher = known | (jnp.ones((), kind) << (width - 1 - i).astype(kind))
        return jnp.where((bits < higher).sum() <= place, higher, known)

    return lax.bitcast_convert_type(lax.fori_loop(0, width, with_next_bit, jnp.zeros((), kind)), values.dtype)
