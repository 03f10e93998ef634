"""The runner: methods of every shape over any score, raw values of any form, in one compiled call per chunk."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import Gradient, GuidedIG, InputXGradient, IntegratedGradients, SmoothGrad
from cnnviz.attribution import run as runner
from cnnviz.attribution.run import Row, run, run_direct
from cnnviz.attribution.shapes import Method, Sampled, Stepwise, arrays, method, per_image
from cnnviz.errors import InputError, InputTypeError

KEY = jax.random.key(5)
IMAGES = jax.random.uniform(jax.random.key(1), (5, 3, 4, 2))
ROWS = Row(IMAGES, np.arange(5, dtype=np.float32))
WEIGHTS = jax.random.normal(jax.random.key(2), (3, 4, 2))


def score_of(weights, row):
    """A score that is no model's: the image's squares, weighed, times the row's target."""
    return lambda image, offsets: (row.target * (weights * image**2).sum(), {})


def mean_of_raw(method, score, image, raw):
    return {"mean": raw.mean(), "score": score(image, {})[0]}


def test_raw_values_are_those_of_each_row():
    slope = 2 * WEIGHTS[None] * IMAGES * np.arange(5).reshape(5, 1, 1, 1)
    np.testing.assert_allclose(run(Gradient(), score_of, WEIGHTS, ROWS), slope, rtol=1e-5)
    for by in (IntegratedGradients(samples=4), GuidedIG(steps=50, max_distance=0.0)):
        raw = run(by, score_of, WEIGHTS, ROWS, batch_size=2)
        np.testing.assert_allclose(raw, slope * IMAGES / 2, rtol=0.1 if isinstance(by, Stepwise) else 1e-4)


def test_finish_makes_something_else_of_them():
    found = run(InputXGradient(), score_of, WEIGHTS, ROWS, finish=mean_of_raw, batch_size=2)
    np.testing.assert_allclose(found["mean"], 2 * found["score"] / IMAGES[0].size, rtol=1e-5)
    assert found["score"].shape == (5,)


def test_several_direct_methods_run_together():
    found = run_direct({"slope": Gradient(), "product": InputXGradient()}, score_of, WEIGHTS, ROWS, batch_size=3)
    np.testing.assert_allclose(found["product"], found["slope"] * IMAGES, rtol=1e-6)


@pytest.mark.parametrize(
    "method", [Gradient(), SmoothGrad(samples=3), GuidedIG(steps=3)], ids=lambda m: type(m).__name__
)
def test_other_arguments_rows_and_keys_compile_nothing(method):
    count = lambda: sum(getattr(runner, name).cache_size() for name in STEPS)
    first = run(method, score_of, WEIGHTS, ROWS, key=KEY)
    before = count()
    other = run(method, score_of, 2 * WEIGHTS, Row(1 - IMAGES, ROWS.target + 1), key=jax.random.key(6))
    assert count() == before
    assert np.abs(first - other).max() > 0


STEPS = ("_direct", "_contribute", "_kept", "_finish", "_init", "_step")


@method
class Masks(Sampled):
    """A regression as its simplest: what is kept of each sample is one number, and `finish` makes the masks again."""

    samples: int = 6
    random, keep = True, True

    def draw(self, key, i, image):
        return jax.random.bernoulli(jax.random.fold_in(key, i), 0.5, image.shape)

    def contribute(self, score, image, sample):
        return sample.sum()

    def finish(self, score, image, total, key):
        masks = jax.vmap(lambda i: self.draw(key, i, image))(jnp.arange(self.samples))
        return {"contributed": total, "again": masks.sum((1, 2, 3)), "masks": masks}


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_finish_has_the_key_that_the_samples_were_drawn_with(batch_size):
    raw = run(Masks(), score_of, WEIGHTS, ROWS, key=KEY, batch_size=batch_size)
    np.testing.assert_array_equal(raw["contributed"], raw["again"])
    assert len({image.tobytes() for image in np.asarray(raw["masks"])}) == 5  # every image has a key of its own
    np.testing.assert_array_equal(raw["masks"], run(Masks(), score_of, WEIGHTS, ROWS, key=KEY)["masks"])


@method
class Walk(Stepwise):
    steps: int = 2
    random = True
    start: Any = per_image(default=1.0)

    def init(self, score, image, key):
        return jax.random.normal(key)

    def step(self, score, image, state, i):
        return state + i

    def finish(self, score, image, state, key):
        return state - jax.random.normal(key), self.start.sum()


def test_finish_of_a_stepwise_method_has_the_key_of_its_init():
    moved, sums = run(Walk(), score_of, WEIGHTS, ROWS, key=KEY)
    np.testing.assert_allclose(moved, 1, atol=1e-6)
    np.testing.assert_array_equal(sums, 24)


def test_a_number_of_a_row_says_its_key_so_that_a_part_of_the_rows_draws_the_same():
    part = Row(IMAGES[3:], ROWS.target[3:], np.array([3, 4], np.int32))
    every = run(SmoothGrad(samples=2), score_of, WEIGHTS, ROWS, key=KEY)
    np.testing.assert_allclose(run(SmoothGrad(samples=2), score_of, WEIGHTS, part, key=KEY), every[3:], rtol=1e-6)


def test_what_cannot_run_is_said():
    @method
    class Nothing(Method):
        extra: Any = arrays(default=None)

    with pytest.raises(InputTypeError, match="A method is Direct, Sampled or Stepwise; Nothing is none of these"):
        run(Nothing(), score_of, WEIGHTS, ROWS)
    with pytest.raises(InputTypeError, match="Masks draws at random; give it a key"):
        run(Masks(), score_of, WEIGHTS, ROWS)
    with pytest.raises(InputError, match="batch_size was 0"):
        run(Masks(), score_of, WEIGHTS, ROWS, key=KEY, batch_size=0)
