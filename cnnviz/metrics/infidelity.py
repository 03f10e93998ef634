"""How well the map predicts what a perturbation of the image does to the score."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.attribution.methods.windows import Windows
from cnnviz.attribution.shapes import method, per_image, value
from cnnviz.errors import InputError, check_known
from cnnviz.metrics.shapes import Map, Perturbing, check_of, check_positive, filled, over_channels
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score

PERTURBATIONS = ("noise", "square")


@method
class Infidelity(Perturbing):
    """E[(sum_i I_i M_i - (S(x) - S(x - I)))^2] over random perturbations I of the image; lower is better.

    I is Gaussian noise with the standard deviation `noise`, or with `perturbation="square"` what replacing a random
    square of the side `side` by the `infill` takes away. With `scaled` the map is first multiplied by the number that
    makes the infidelity smallest, as the authors' experiments do, so that maps of other units can be compared.
    Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, eq. 1 (arXiv:1901.09392). Captum has the same
    for perturbations that are given to it; Quantus removes all squares of a grid, each on top of those before.
    """

    samples: int = 100
    perturbation: str = "noise"
    noise: float = 0.2
    side: int = 4
    scaled: bool = False
    infill: Any = per_image(default="black")
    of: str = "logit"

    better = "lower"
    random = True
    shared = True

    def __post_init__(self):
        check_positive(samples=self.samples, side=self.side)
        check_known("perturbation", self.perturbation, PERTURBATIONS)
        check_of(self.of)
        if not self.noise > 0:
            raise InputError(f"noise is a standard deviation, so positive; it was {self.noise}.")

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        least = min(image_shape[:-1] or image_shape)
        if self.perturbation == "square" and self.side > least:
            raise InputError(f"A square is at most as large as the image {image_shape}; side was {self.side}.")
        return self

    @property
    def count(self) -> int:
        return self.samples

    def draw(self, map: Map, key: Key, i: Array, image: Image) -> PyTree:
        key = jax.random.fold_in(key, i)
        if self.perturbation == "noise":
            change = self.noise * jax.random.normal(key, image.shape, image.dtype)
        else:
            inside = square(key, image.shape[:-1], self.side)[..., None]
            change = jnp.where(inside, image - filled(self.infill, image, key), 0)
        return change, (over_channels(map, image) * change).sum()

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        change, predicted = sample
        return predicted, value(score, image - change)

    def finish(self, score: Score, image: Image, map: Map, found: PyTree, key: Key) -> Scalar:
        predicted, after = found
        fall = value(score, image) - after
        if self.scaled:
            total = jnp.square(predicted).sum()
            predicted *= (predicted * fall).sum() / jnp.where(total > 0, total, 1)
        return jnp.square(predicted - fall).mean()


def square(key: Key, sides: tuple[int, ...], side: int) -> Array:
    """A mask over the sides of an image, True in a box of this side at a place where it fits, each equally likely."""
    starts = [
        jax.random.randint(jax.random.fold_in(key, axis), (), 0, max(n - side, 0) + 1) for axis, n in enumerate(sides)
    ]
    return Windows(sides, (side,) * len(sides), (1,) * len(sides)).inside(jnp.stack(starts))
