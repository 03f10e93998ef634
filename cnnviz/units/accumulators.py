"""What is known of a layer's channels after some images, and how it grows by a chunk of more: states of fixed size.

An accumulator is a frozen dataclass with a state without images, `grown(state, chunk)`, and `merged(a, b, counts)` of
two states, which saw `counts` images. `needs` names what it reads of the chunk's reductions.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import Precision

from cnnviz.types import Array
from cnnviz.units import compensated, highest
from cnnviz.units.buckets import bucket_count, bucket_of
from cnnviz.units.chunk import Chunk
from cnnviz.units.drawn import drawn_values

NO_IMAGE = np.iinfo(np.int32).max
Counts = tuple[Array, Array]  # of the images of two parts, as floats
Words = tuple[Array, ...]  # of counts: the low 32 bits, and the high ones if they are needed
Moments = tuple[compensated.Pair, compensated.Pair]


@dataclass(frozen=True)
class Spread:
    """The mean and the sum of squared deviations of each channel; with `covariance`, that of products of channels.

    Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1: the moments of a chunk are
    computed from its own mean, and two parts are merged by the distance of their means.
    """

    places: int
    channels: int
    covariance: bool = False

    @property
    def empty(self) -> Moments:
        """No images."""
        c = self.channels
        return compensated.zero(c), compensated.zero(*((c, c) if self.covariance else (c,)))

    @property
    def needs(self) -> tuple[str, ...]:
        """The reductions of a chunk that it reads."""
        return ("sum",) if self.covariance else ("sum", "squares")

    def grown(self, state: Moments, chunk: Chunk) -> Moments:
        """With the images of a chunk."""
        apart = jax.lax.optimization_barrier(chunk.apart)
        mean = chunk.pivot + apart
        if self.covariance:
            flat = chunk.counted(chunk.x - mean[None, None]).reshape(-1, self.channels)
            inside = _product(flat.T, flat)
        else:
            squares = chunk.counted(chunk.found["squares"]).sum(0)
            inside = jnp.maximum(squares - chunk.images * self.places * apart**2, 0)
        own = (mean, jnp.zeros(self.channels)), (inside, jnp.zeros(inside.shape))
        return self.merged(state, own, (chunk.before, chunk.images))

    def merged(self, a: Moments, b: Moments, counts: Counts) -> Moments:
        """Chan's update."""
        (mean_a, spread_a), (mean_b, spread_b), share = a, b, counts[1] / jnp.maximum(sum(counts), 1.0)
        apart = (mean_b[0] - mean_a[0]) + (mean_b[1] - mean_a[1])
        squared = apart[:, None] * apart[None] if self.covariance else apart**2
        between = self.places * counts[0] * share * squared
        return compensated.plus(mean_a, apart * share), compensated.plus(compensated.both(spread_a, spread_b), between)


@dataclass(frozen=True)
class Extremes:
    """The least and the largest value of each channel, and the first image in which a channel is not finite."""

    channels: int
    needs: ClassVar[tuple[str, ...]] = ("sum", "highest", "lowest")

    @property
    def empty(self) -> tuple[Array, Array, Array]:
        """No images."""
        c = self.channels
        return jnp.full(c, jnp.inf), jnp.full(c, -jnp.inf), jnp.full(c, NO_IMAGE, jnp.int32)

    def grown(self, state: Any, chunk: Chunk) -> Any:
        """With the images of a chunk; padding repeats an image, so it changes nothing."""
        bad = jnp.where(jnp.isfinite(chunk.means), NO_IMAGE, chunk.numbers[:, None]).min(0)
        return self.merged(state, (chunk.found["lowest"].min(0), chunk.found["highest"].max(0), bad))

    def merged(self, a: Any, b: Any, counts: Counts | None = None) -> Any:
        """Of both."""
        return jnp.minimum(a[0], b[0]), jnp.maximum(a[1], b[1]), jnp.minimum(a[2], b[2])


@dataclass(frozen=True)
class Signs:
    """How many values of each channel are zero and how many are positive, `[2, channels]`; exact."""

    channels: int
    words: int = 1  # of 32 bits, by count
    needs: ClassVar[tuple[str, ...]] = ("zero", "positive")

    @property
    def empty(self) -> Words:
        """No images."""
        return tuple(jnp.zeros((2, self.channels), jnp.uint32) for _ in range(self.words))

    def grown(self, state: Words, chunk: Chunk) -> Words:
        """With the images of a chunk."""
        each = jnp.stack([chunk.found[name] for name in self.needs], axis=1)
        more = chunk.counted(each.astype(jnp.uint32)).sum(0)
        return _carried(state[0], state[0] + more, *state[1:])

    def merged(self, a: Words, b: Words, counts: Counts) -> Words:
        """Of both."""
        return _both(a, b)


@dataclass(frozen=True)
class Buckets:
    """How many values are in each of the buckets of `buckets`, or between edges; exact.

    With `drawn`, only as many values of each image count, at places drawn at random by the image's number.
    """

    channels: int
    precision: int = 0
    edges: tuple[float, ...] = ()
    words: int = 1  # of 32 bits, by count
    drawn: int | None = None
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def empty(self) -> Words:
        """No images."""
        count = len(self.edges) + 1 if self.edges else bucket_count(self.precision)
        return tuple(jnp.zeros((self.channels, count), jnp.uint32) for _ in range(self.words))

    def grown(self, state: Words, chunk: Chunk) -> Words:
        """With the images of a chunk."""
        x = chunk.x if self.drawn is None else drawn_values(chunk.x, chunk.numbers, self.drawn)
        found = _between(x, self.edges) if self.edges else bucket_of(x, self.precision)
        buckets = state[0].shape[1]
        flat = found + buckets * jnp.arange(self.channels, dtype=jnp.int32)[None, None]
        outside = self.channels * buckets  # where padding goes, and is dropped
        places = jax.lax.optimization_barrier(chunk.counted(flat, outside).ravel())
        more = state[0].ravel().at[places].add(jnp.uint32(1), mode="drop")
        return _carried(state[0], more.reshape(state[0].shape), *state[1:])

    def merged(self, a: Words, b: Words, counts: Counts) -> Words:
        """Of both."""
        return _both(a, b)


@dataclass(frozen=True)
class ByClass:
    """The sum over the images of each class of a channel's mean over places."""

    channels: int
    classes: int
    needs: ClassVar[tuple[str, ...]] = ("sum",)

    @property
    def empty(self) -> compensated.Pair:
        """No images."""
        return compensated.zero(self.classes, self.channels)

    def grown(self, state: compensated.Pair, chunk: Chunk) -> compensated.Pair:
        """With the images of a chunk."""
        assert chunk.classes is not None
        belongs = (chunk.classes[None] == jnp.arange(self.classes)[:, None]) & chunk.mask[None]
        return compensated.plus(state, _product(belongs.astype(jnp.float32), chunk.counted(chunk.means)))

    def merged(self, a: compensated.Pair, b: compensated.Pair, counts: Counts) -> compensated.Pair:
        """Of both."""
        return compensated.both(a, b)


@dataclass(frozen=True)
class Highest:
    """The k images with the largest values of each channel; of equal values, those that come first."""

    channels: int
    k: int
    needs: ClassVar[tuple[str, ...]] = ("highest",)

    @property
    def empty(self) -> highest.Ranked:
        """No images."""
        return highest.none(self.k, self.channels)

    def grown(self, state: highest.Ranked, chunk: Chunk) -> highest.Ranked:
        """With the images of a chunk."""
        return highest.grown(state, chunk.counted(chunk.found["highest"], -jnp.inf), chunk.numbers)

    def merged(self, a: highest.Ranked, b: highest.Ranked, counts: Counts) -> highest.Ranked:
        """Of both."""
        return highest.merged(a, b)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=Precision.HIGHEST)


def _both(a: Words, b: Words) -> Words:
    low, *high = _carried(a[0], a[0] + b[0], *a[1:])
    return low, *(x + y for x, y in zip(high, b[1:], strict=True))


def _carried(before: Array, after: Array, *high: Array) -> tuple[Array, ...]:
    """The low word, and the high word, if there is one, with what the low one carries."""
    return after, *(word + (after < before).astype(jnp.uint32) for word in high)


def _between(x: Array, edges: tuple[float, ...]) -> Array:
    """The number of edges at or below each value; the last edge itself belongs to the bin before it, as in NumPy."""
    found = jnp.searchsorted(jnp.array(edges, jnp.float32), x, side="right", method="compare_all")
    return jnp.where(x == edges[-1], len(edges) - 1, found)
