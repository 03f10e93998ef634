"""The fields of a recipe against oracles without our code, and as options of `train.py`."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.commands import console, train
from cnnviz.commands.recipe_options import RecipeOptions
from cnnviz.errors import InputError
from cnnviz.models.dense import DenseNetwork
from cnnviz.networks import Prepare
from cnnviz.training.augment import CROPPED, augment, cropped
from cnnviz.training.class_weights import class_weights
from cnnviz.training.optimizer import learning_rate_at, optimizer, schedule
from cnnviz.training.recipe import RECIPES, Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

KEY = jax.random.key(0)
GRADIENTS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def updated(recipe, steps=5):
    """The parameters after each of five steps with GRADIENTS, from ones, and their state."""
    update = optimizer(recipe, steps)
    params, seen = jnp.ones(3), []
    state = update.init(params)
    for gradient in GRADIENTS:
        updates, state = update.update(jnp.asarray(gradient), state, params)
        params = params + updates
        seen.append(np.asarray(params))
    return np.stack(seen)


def test_sgd_has_momentum_and_adds_the_decay_to_the_gradient():
    params, velocity, expected = np.ones(3), np.zeros(3), []
    for gradient in GRADIENTS:
        velocity = 0.8 * velocity + gradient + 0.1 * params
        params = params - 0.01 * velocity
        expected.append(params)
    recipe = Recipe(optimizer="sgd", momentum=0.8, weight_decay=0.1, learning_rate=0.01)
    np.testing.assert_allclose(updated(recipe), expected, rtol=1e-5)


def test_rmsprop_divides_by_the_root_of_the_mean_square():
    params, square, expected = np.ones(3), np.zeros(3), []
    for gradient in GRADIENTS:
        square = 0.9 * square + 0.1 * gradient**2
        params = params - 0.01 * gradient / np.sqrt(square + 1e-7)
        expected.append(params)
    np.testing.assert_allclose(updated(Recipe(optimizer="rmsprop", learning_rate=0.01)), expected, rtol=1e-5)


def test_adamw_is_adam_with_its_decay_and_needs_one():
    one, other = (Recipe(optimizer=name, weight_decay=0.1) for name in ("adam", "adamw"))
    np.testing.assert_array_equal(updated(one), updated(other))
    with pytest.raises(InputError, match="optimizer adamw needs a weight decay, which is 0"):
        Recipe(optimizer="adamw")


def test_a_gradient_is_clipped_to_the_norm_over_all_parameters():
    recipe = Recipe(optimizer="sgd", momentum=0.0, learning_rate=1.0, gradient_clip=0.5)
    norms = np.linalg.norm(GRADIENTS, axis=1, keepdims=True)
    expected = 1 - np.cumsum(GRADIENTS * np.minimum(1, 0.5 / norms), 0)
    np.testing.assert_allclose(updated(recipe), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"warmup": 2.0}, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ({"schedule": "linear"}, [1 - n / 8 for n in range(8)]),
        ({"schedule": "cosine"}, [(1 + np.cos(np.pi * n / 8)) / 2 for n in range(8)]),
        ({"schedule": "linear", "warmup": 1.0}, [0.5, 1, *(1 - n / 6 for n in range(6))]),
        ({"schedule": "cosine", "warmup": 1.0}, [0.5, 1, *((1 + np.cos(np.pi * n / 6)) / 2 for n in range(6))]),
        (
            {"schedule": "one_cycle", "warmup": 2.0},
            [0.1 + 0.45 * (1 - np.cos(np.pi * n / 4)) for n in range(4)]
            + [1e-3 + (1 - 1e-3) * (1 + np.cos(np.pi * n / 4)) / 2 for n in range(4)],
        ),
    ],
)
def test_the_learning_rate_rises_and_falls_as_the_schedule_says(how, expected):
    recipe = Recipe(epochs=4, learning_rate=1.0, **how)
    found = [learning_rate_at(recipe, 8, step) for step in range(8)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("how", [{"schedule": name} for name in ("cosine", "linear", "one_cycle")] + [{"warmup": 0.5}])
def test_the_state_of_the_optimizer_does_not_depend_on_the_number_of_steps(how):
    params = {"kernel": jnp.ones((2, 3))}
    one, other = (optimizer(Recipe(**how), steps).init(params) for steps in (1, 300))
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert callable(schedule(Recipe(**how), 1)) == callable(schedule(Recipe(**how), 300))


def test_balanced_weights_let_all_classes_count_equally():
    labels = np.array([0] * 6 + [1] * 3 + [3])
    weights = class_weights("balanced", labels, ["a", "b", "c", "d"])
    np.testing.assert_allclose(weights[[0, 1, 3]], [10 / (3 * n) for n in (6, 3, 1)])
    assert weights[labels].mean() == pytest.approx(1)
    assert class_weights("none", labels, ["a"]) is None
    np.testing.assert_allclose(class_weights("b=2, d = 0.5", labels, ["a", "b", "c", "d"]), [1, 2, 1, 0.5])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("horse=2", "'horse' is not a class"),
        ("a=2,e=1", "Known: a, b"),
        ("a=-1", "a positive weight for each of some classes, such as cat=2,dog=0.5; it was 'a=-1'"),
        ("a=2,a=3", "it was 'a=2,a=3'"),
        ("balance", "class_weights must be none, balanced, or a positive weight"),
        ("a=nan", "it was 'a=nan'"),
    ],
)
def test_weights_of_classes_that_are_not_there_are_refused(text, fault):
    with pytest.raises(InputError, match=fault):
        class_weights(text, np.array([0, 1]), ["a", "b"])


def test_the_gradient_is_that_of_the_weighted_loss(toy):
    """The oracle is the mean of each image's cross-entropy times the weight of its class."""
    model, (images, labels), weights = DenseNetwork(classes=2), (rows[:16] for rows in toy), np.float32([0.5, 3])
    recipe = Recipe()
    state = initial_state(model, recipe, (12, 12, 1), KEY)

    def loss(params):
        logs = jax.nn.log_softmax(model.apply({"params": params}, images.astype(jnp.float32) / 255))
        each = -jnp.where(labels == 0, 0.5 * logs[:, 0], 3 * logs[:, 1])
        return each.sum() / 16

    expected = jax.grad(loss)(state.params)
    step = jax.jit(make_step(model, recipe, Prepare(), steps=9, weights=weights))
    moved, _ = step(state, KEY, images, labels)
    for found, wanted in zip(*map(jax.tree.leaves, (moved.opt_state[0].mu, expected)), strict=True):
        np.testing.assert_allclose(found, wanted / 10, atol=1e-6)  # a tenth is Adam's first moment


def test_a_crop_is_resized_bilinearly_from_inside_the_image():
    """The oracle interpolates at the centres of the pixels; where a crop lies follows from the same draws."""
    image = np.random.default_rng(1).integers(0, 256, (9, 12, 2), np.uint8)
    key = jax.random.key(3)
    area, aspect, top, left = np.asarray(jax.random.uniform(key, (4,)), float)
    area, aspect = 0.3 + 0.7 * area, CROPPED[0] * (CROPPED[1] / CROPPED[0]) ** aspect
    sides = np.minimum([np.sqrt(area * aspect), np.sqrt(area / aspect)], 1)
    starts = [top * (1 - sides[0]) * 9, left * (1 - sides[1]) * 12]
    assert area == pytest.approx(np.prod(sides))
    rows, columns = (
        start + (np.arange(n) + 0.5) * side - 0.5 for start, n, side in zip(starts, (9, 12), sides, strict=True)
    )
    between = lambda at, n: np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n)))
    weights = [between(np.clip(rows, 0, 8), 9), between(np.clip(columns, 0, 11), 12)]
    expected = np.einsum("ia,jb,abc->ijc", *weights, image.astype(float))
    found = np.asarray(jax.jit(lambda image: cropped(image, key, 0.3))(jnp.asarray(image)))
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_crops_and_vertical_flips_are_drawn_and_leave_other_draws_as_they_are():
    images = jnp.broadcast_to(jnp.arange(12, dtype=jnp.uint8).reshape(4, 3, 1) * 20, (400, 4, 3, 1))
    upside = np.asarray(augment(images, KEY, flip_vertical=True))
    is_flipped = (upside == np.asarray(images[:, ::-1])).all((1, 2, 3))
    assert 0.4 < is_flipped.mean() < 0.6
    assert (upside[~is_flipped] == np.asarray(images)[~is_flipped]).all()
    both = np.asarray(augment(images, KEY, flip=True, flip_vertical=True))
    one = np.asarray(augment(images, KEY, flip=True))
    np.testing.assert_array_equal(both[~is_flipped], one[~is_flipped])
    crops = np.asarray(augment(images, KEY, crop=0.5))
    assert len(np.unique(crops.reshape(400, -1), axis=0)) > 300


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"warmup": 20.0}, "warmup must be shorter than the training of 20 epochs; it was 20."),
        ({"warmup": -1.0}, "warmup must be at least 0"),
        ({"crop": 0.0}, "crop must be more than 0 and at most 1; it was 0.0"),
        ({"momentum": 1.0}, "momentum must be at least 0 and less than 1"),
        ({"gradient_clip": -1.0}, "gradient_clip must be at least 0"),
        ({"class_weights": "heavy"}, "class_weights must be none, balanced, or"),
        ({"optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_a_field_that_cannot_be_is_refused(how, fault):
    with pytest.raises(InputError, match=fault):
        Recipe(**how)


def test_every_field_of_a_recipe_is_an_option_under_the_heading_recipe():
    assert {field.name for field in fields(Recipe)} == {field.name for field in fields(RecipeOptions)}
    assert train.Options.HEADINGS["Recipe"].split() == [field.name for field in fields(RecipeOptions)]
    headings = " ".join(train.Options.HEADINGS.values()).split()
    assert sorted(headings) == sorted(field.name for field in fields(train.Options))


def test_flags_can_be_set_unset_and_left_alone():
    parsed = lambda *arguments: console.parse(train.Options, arguments, "train.py").numbers
    assert parsed("--flip", "--no-flip-vertical", "--crop", "0.5") == {
        "flip": True,
        "flip_vertical": False,
        "crop": 0.5,
    }
    assert parsed() == {}
    assert parsed("--recipe", "best", "--no-flip")["flip"] is False


def test_a_recipe_is_described_by_the_nearest_one_and_its_differences():
    assert RECIPES["best"].described() == "best"
    assert replace(RECIPES["fast"], seed=3, epochs=9, flip=True).described() == "fast with epochs 9, flip True"
