"""The images with the largest values of each channel, in order: the larger first, and of equal ones the earlier."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.types import Array

NOBODY = np.iinfo(np.int32).max
AT_ONCE = 256  # channels


class Ranked(NamedTuple):
    """Values `[k, channels]` from the largest on, and the numbers of their images."""

    values: Array
    images: Array


def none(k: int, channels: int) -> Ranked:
    """No images: minus infinity everywhere."""
    return Ranked(jnp.full((k, channels), -jnp.inf), jnp.full((k, channels), NOBODY, jnp.int32))


def grown(ranked: Ranked, values: Array, images: Array) -> Ranked:
    """The ranking with more values `[n, channels]` of the images `[n]`, whose numbers rise and are above all others.

    Of many channels, a few at a time are looked at: those in which a value enters, which after some images are few.
    """
    if values.shape[1] <= AT_ONCE:
        return _grown(ranked, values, images)

    def take(state: tuple[Ranked, Array]) -> tuple[Ranked, Array]:
        ranked, best = state
        does_enter, some = jax.lax.top_k((best > ranked.values[-1]).astype(jnp.float32), AT_ONCE)
        new = jnp.where(does_enter[None] > 0, values[:, some], -jnp.inf)  # others may have been taken before
        part = _grown(Ranked(ranked.values[:, some], ranked.images[:, some]), new, images)
        put = lambda held, new: held.at[:, some].set(new)
        return Ranked(*map(put, ranked, part)), best.at[some].set(-jnp.inf)

    enters: Any = lambda state: (state[1] > state[0].values[-1]).any()
    return jax.lax.while_loop(enters, take, (ranked, values.max(0)))[0]


def _grown(ranked: Ranked, values: Array, images: Array) -> Ranked:
    """The same, by an insertion for each value that is large enough: in most chunks that is none or one."""

    def insert(state: tuple[Ranked, Array]) -> tuple[Ranked, Array]:
        ranked, values = state
        best, row = values.max(0), values.argmax(0)
        taken = jnp.arange(values.shape[0])[:, None] == row[None]
        return _inserted(ranked, best, images[row]), jnp.where(taken, -jnp.inf, values)

    enters: Any = lambda state: (state[1].max(0) > state[0].values[-1]).any()
    return jax.lax.while_loop(enters, insert, (ranked, values))[0]


def _inserted(ranked: Ranked, value: Array, image: Array) -> Ranked:
    """The ranking with one more value of each channel, after those that are as large."""
    values, images = ranked
    ahead = (values >= value[None]).sum(0)
    place = jnp.arange(values.shape[0])[:, None]
    put = lambda held, new: jnp.where(
        place < ahead[None], held, jnp.where(place == ahead[None], new[None], jnp.roll(held, 1, 0))
    )
    return Ranked(put(values, value), put(images, image))


def merged(a: Ranked, b: Ranked) -> Ranked:
    """The ranking of the images of both."""
    k = a.values.shape[0]
    values, images = jnp.concatenate([-a.values, -b.values]), jnp.concatenate([a.images, b.images])
    values, images = jax.lax.sort((values, images), dimension=0, num_keys=2)
    return Ranked(-values[:k], images[:k])
