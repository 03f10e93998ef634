"""Buckets that divide all numbers on fixed edges, by which histograms and quantiles of any data merge exactly.

Each octave from 2^-16 to 2^16, on both sides of zero, has `2**precision` buckets of equal width, which a value's bits
tell. So a value differs from the middle of its bucket by at most `2**-(precision + 1)` of itself: a quantile sketch
with a bounded relative error, as in Masson et al. 2019, "DDSketch" (arXiv:1908.10693), that does not depend on the
order or the division of the data. Zero has a bucket of its own; smaller and larger magnitudes have one on each side.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from cnnviz.types import Array

LOWEST, HIGHEST = -16, 16  # octaves: smaller magnitudes are one bucket, and larger ones another
FINEST, COARSEST = 5, 1
MANTISSA, BIAS = 23, 127  # of float32
MOST_BUCKETS = 2**21  # of all channels of a layer


def precision_for(channels: int) -> int:
    """The precision at which all channels of a layer have at most MOST_BUCKETS, if the coarsest allows it."""
    fitting = (p for p in range(FINEST, COARSEST, -1) if channels * bucket_count(p) <= MOST_BUCKETS)
    return next(fitting, COARSEST)


def relative_error(precision: int) -> float:
    """The largest relative distance of a value from the middle of its bucket."""
    return 2.0 ** -(precision + 1)


def bucket_count(precision: int) -> int:
    """How many buckets there are: on each side the octaves', one below and one above, and zero's."""
    return 2 * _regular(precision) + 5


def edges_of(precision: int) -> Float[np.ndarray, " edges"]:
    """The edges, from minus to plus infinity; bucket i has the values of `edges[i] <= x < edges[i + 1]`."""
    octaves = 2.0 ** np.arange(LOWEST, HIGHEST)
    within = 1 + np.arange(2**precision) / 2**precision
    positive = np.append((octaves[:, None] * within[None]).ravel(), 2.0**HIGHEST)
    smallest = np.nextafter(np.float32(0), np.float32(1)).astype(np.float64)
    return np.concatenate([[-np.inf], -positive[::-1], [0.0, smallest], positive, [np.inf]])


def bucket_of(x: Float[Array, "*shape"], precision: int) -> Int[Array, "*shape"]:
    """The bucket of each float32 value; NaN is in the last or the first one."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    magnitude, is_negative = bits & 0x7FFFFFFF, bits < 0
    regular, base = _regular(precision), (LOWEST + BIAS) << precision
    # a negative value on an edge belongs to the bucket nearer to zero, whose lower edge it is
    steps = ((magnitude - is_negative) >> (MANTISSA - precision)) - base
    steps = jnp.where(magnitude == 0, 0, jnp.clip(steps, -1, regular) + 2)
    return regular + 2 + jnp.where(is_negative, -steps, steps)


def _regular(precision: int) -> int:
    return (HIGHEST - LOWEST) << precision


def quantiles(
    counts: Int[np.ndarray, "c buckets"], precision: int, q: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "m c"]:
    """The value of rank `ceil(q n)` of n, at least 1, in each channel: the middle of the bucket that has it.

    A bucket without a middle, the first and the last, gives minus and plus infinity.
    """
    edges, reached = edges_of(precision), counts.cumsum(1)
    middles = (edges[:-1] + edges[1:]) / 2
    middles[np.searchsorted(edges, 0.0)] = 0.0
    ranks = np.maximum(np.ceil(q[:, None] * reached[None, :, -1]), 1)
    places = [np.searchsorted(row, rank, side="left") for row, rank in zip(reached, ranks.T, strict=True)]
    return middles[np.stack(places, axis=1)]
