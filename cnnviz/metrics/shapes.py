"""What a metric is: a number for one map of one image, or for a method on an image, and the ways to compute it.

A metric is a frozen dataclass made by `attribution.shapes.method`, so it goes through the runner of methods: its
`infill` is a field made by `per_image`. A map has the image's sides, `[h w]`, or the image's shape, `[h w c]`; each of
its values is a feature that is removed by itself.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from cnnviz.attribution.infills import INFILLS
from cnnviz.attribution.inputs import INFILL
from cnnviz.attribution.layers import Place
from cnnviz.attribution.shapes import Direct, Method, Summed, arrays, method, per_row
from cnnviz.errors import InputError, check_known
from cnnviz.types import Array, Float, Image, Key, PyTree, Scalar, Score

Map = Float[Array, "..."]
OF = ("probability", "logit", "log_probability", "correct")


@method
class Metric(Method):
    """What all metrics have.

    `better` says which numbers are good, "lower" or "higher"; `needs` which maps the definition covers: "varying"
    ones, "nonzero" ones, or any ("").
    """

    better: ClassVar[str] = "lower"
    needs: ClassVar[str] = ""

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        """The metric with the options that depend on the image's shape filled in."""
        return self

    @property
    def outcome(self) -> str:
        """Which number of the network it looks at, one of OF; a metric that leaves this open has a field `of`."""
        return check_of(getattr(self, "of", "logit"))


@method
class OfMap(Metric):
    """A metric of a map: `metric(score, image, map, key)` is its number for one image.

    One that perturbs images alike whatever the map is says so by `shared`: several maps take no more forward passes.
    """

    shared: ClassVar[bool] = False

    def __call__(self, score: Score, image: Image, map: Map, key: Key) -> Scalar:
        raise NotImplementedError


@method
class Perturbing(OfMap):
    """A metric of a map that looks at the score of `count` perturbed images.

    `draw` makes the i-th sample from the map, `contribute` gives a pytree of numbers for it, and `finish` the metric
    from those of all samples, stacked. A metric whose samples are the points of a curve says so by `curved`.
    """

    curved: ClassVar[bool] = False

    @property
    def count(self) -> int:
        """The number of perturbed images."""
        raise NotImplementedError

    def draw(self, map: Map, key: Key, i: Array, image: Image) -> PyTree:
        """The i-th sample; random numbers come from the key with `i` folded in."""
        raise NotImplementedError

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        """What is kept of a sample."""
        raise NotImplementedError

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        """The metric, from what was kept of every sample."""
        raise NotImplementedError

    def __call__(self, score: Score, image: Image, map: Map, key: Key) -> Scalar:
        own = self.fitted_to((), image.shape)
        sample = lambda i: own.contribute(score, image, own.draw(map, key, i, image))
        return own.finish(score, image, map, jax.vmap(sample)(jnp.arange(own.count)), key)


@method
class Formula(Direct):
    """A metric of m maps `[m ...]` of an image as the runner takes it; its raw value is the number of each, `[m]`."""

    metric: Any = arrays()
    map: Any = per_row()

    def __call__(self, score: Score, image: Image) -> Any:
        return jax.vmap(lambda map: self.metric(score, image, map, jax.random.key(0)))(self.map), ()


@method
class Perturbation(Summed):
    """A `Perturbing` metric of m maps `[m ...]` of an image as the runner takes it.

    Its raw value is the number of each map `[m]` and, of a curve, the curves `[m steps]`. What does not depend on the
    map, such as the score of an image that is perturbed alike for all of them, `vmap` leaves as one.
    """

    metric: Any = arrays()
    map: Any = per_row()

    keep = True

    @property
    def count(self) -> int:
        return self.metric.count

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return key, i

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        one = lambda map: self.metric.contribute(score, image, self.metric.draw(map, *sample, image))
        return jax.vmap(one)(self.map)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Any:
        one = lambda map, found: self.metric.finish(score, image, map, found, key)
        return jax.vmap(one, (0, 1))(self.map, total), total.T if self.metric.curved else ()


def check_of(of: str) -> str:
    """The name of a number of the network; raises InputError if it is none of OF."""
    check_known("number of a network", of, OF)
    return of


def check_positive(**counts: Any) -> None:
    """Raises InputError unless each of these is None or a positive integer."""
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise InputError(f"{name} is a positive integer; it was {count!r}.")


def check_share(**shares: float) -> None:
    """Raises InputError unless each of these is more than 0 and at most 1."""
    for name, share in shares.items():
        if not 0 < share <= 1:
            raise InputError(f"{name} is a share, more than 0 and at most 1; it was {share}.")


def filled(infill: Any, image: Image, key: Key) -> Image:
    """The infill of one image: a number, an image, or a name of INFILLS, of which the runner has made an image."""
    if isinstance(infill, str):
        check_known("infill", infill, INFILLS)
        return INFILLS[infill].fill(image, jax.random.fold_in(key, INFILL), None)
    return jnp.broadcast_to(jnp.asarray(infill, image.dtype), image.shape)


def over_channels(map: Array, image: Image) -> Array:
    """A map, or a mask in its shape, in a shape that broadcasts to the image's."""
    return map if map.ndim == image.ndim else map[..., None]


def removed(image: Image, mask: Array, infill: Image) -> Image:
    """The image with the infill where the mask, in the shape of a map, is True."""
    return jnp.where(over_channels(mask, image), infill, image)
