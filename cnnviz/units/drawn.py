"""Some values of each image, at places drawn at random: what is enough to know quantiles of a large data set by.

An image's map is divided into equal parts, and one value is drawn from each, at a place that the image's number
decides: it depends neither on the values nor on how the images are divided into chunks. So the fraction of drawn values
below any number is a mean of independent ones, to which Hoeffding's inequality applies (1963, "Probability inequalities
for sums of bounded random variables", theorem 2).
"""

from math import ceil, log, sqrt

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from cnnviz.types import Array

ENOUGH = 2**18  # values of a channel; as many are drawn if there are more
CHANCE = 1e-9  # of a larger error than the one that is stated


def drawn_per_image(images: int, places: int) -> int | None:
    """How many values of each image are drawn; None if all count."""
    drawn = ceil(ENOUGH / images)
    return drawn if drawn < places else None


def rank_error(drawn: int) -> float:
    """How far a rank among so many drawn values is from that among all, at most, as a fraction, but for `CHANCE`."""
    return sqrt(log(2 / CHANCE) / (2 * drawn))


def drawn_values(x: Float[Array, "n places c"], numbers: Int[Array, " n"], drawn: int) -> Float[Array, "n drawn c"]:
    """The values of all channels at so many places of each image, whose numbers decide which."""
    places, key = x.shape[1], jax.random.key(0)
    within = jax.vmap(lambda number: jax.random.uniform(jax.random.fold_in(key, number), (drawn,)))(numbers)
    at = ((jnp.arange(drawn)[None] + within) * (places / drawn)).astype(jnp.int32)
    return jnp.take_along_axis(x, jnp.minimum(at, places - 1)[..., None], axis=1)
