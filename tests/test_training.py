"""Training: it learns, every bit is decided by the key, a resumed run has the bits of one that went through."""

import itertools
from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet
from cnnviz.runs import prepare
from cnnviz.training.fit import REFUSALS, NotFinite, best, fit, is_over, split
from cnnviz.training.keep import Keep, log_spaced
from cnnviz.training.recipe import RECIPES, Recipe
from cnnviz.training.step import Examples, initial_state, make_evaluate, make_step, optimizer

RECIPE = Recipe(epochs=3, batch_size=16, patience=3)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def parts(toy):
    return split(Examples(*toy), 0.2, KEY)


def run(model, parts, state=None, recipe=RECIPE, **how):
    """The last state, with the records, of a whole run."""
    last = initial_state(model, recipe, (12, 12, 1), KEY) if state is None else state
    records = []
    for last, record in fit(model, last, parts[0], parts[1], recipe, prepare, KEY, **how):  # noqa: B007, B020
        records += [record] if record else []
    return last, records


def equal(one, other):
    return all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), one, other)))


def without_times(records):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


@pytest.mark.parametrize("model", [CNN(classes=2), ResNet(classes=2, channels=4)])
def test_it_learns_and_repeats_itself_to_the_bit(model, parts):
    state, records = run(model, parts)
    again, same = run(model, parts)
    assert records[-1]["train_loss"] < 0.7 * records[0]["train_loss"]
    assert equal(state, again)
    assert without_times(records) == without_times(same)
    assert [record["step"] for record in records] == [10, 20, 30]


ONE_CYCLE = replace(RECIPE, schedule="one_cycle", weight_decay=1e-4)


@pytest.mark.parametrize(("stop_at", "recipe"), [(4, RECIPE), (11, RECIPE), (21, RECIPE), (14, ONE_CYCLE)])
def test_resumed_anywhere_it_has_the_same_bits(parts, stop_at, recipe):
    model = CNN(classes=2)
    whole, records = run(model, parts, recipe=recipe)
    calls = itertools.count(1)
    state, first = run(model, parts, recipe=recipe, stop=lambda: next(calls) == stop_at)
    assert int(state.step) == stop_at - 1
    state, rest = run(model, parts, state, recipe=recipe, history=first)
    assert equal(whole, state)
    assert without_times(first + rest) == without_times(records)


def test_one_cycle_rises_from_a_tenth_to_the_learning_rate_and_falls():
    """Of a constant gradient Adam's update is the learning rate, whatever the schedule makes of it."""
    recipe = replace(RECIPE, schedule="one_cycle", learning_rate=1e-2)
    update = optimizer(recipe, steps=50)
    params = {"w": jnp.zeros(1)}
    state, rates = update.init(params), []
    for _ in range(50):
        updates, state = update.update({"w": jnp.ones(1)}, state, params)
        rates.append(-float(updates["w"][0]))
    assert rates[0] == pytest.approx(1e-3, rel=1e-4)
    assert max(rates) == pytest.approx(1e-2, rel=1e-4)
    assert rates.index(max(rates)) == 10
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-4


def test_weight_decay_pulls_weights_to_zero_by_its_share():
    params = {"w": jnp.ones(1)}
    update = optimizer(replace(RECIPE, weight_decay=0.1), steps=1)
    updates, _ = update.update({"w": jnp.zeros(1)}, update.init(params), params)
    assert float(updates["w"][0]) == pytest.approx(-0.1 * RECIPE.learning_rate)


def test_every_recipe_is_one_that_a_run_can_load_again():
    assert all(Recipe(**asdict(recipe)) == recipe for recipe in RECIPES.values())
    assert RECIPES["classic"] == Recipe()
    assert RECIPES["fast"].schedule == "one_cycle"


def test_another_seed_gives_another_split_and_no_image_is_lost(toy):
    train, validation = split(Examples(*toy), 0.2, KEY)
    assert (len(train.labels), len(validation.labels)) == (160, 40)
    total = np.asarray(train.images, int).sum() + np.asarray(validation.images, int).sum()
    assert total == np.asarray(toy[0], int).sum()
    assert not equal(validation, split(Examples(*toy), 0.2, jax.random.key(1))[1])


def test_one_step_is_adam_on_the_mean_cross_entropy(parts):
    """An oracle with no code of the step: the chapter's optimizer by optax's own names, dropout switched off."""
    model = CNN(classes=2, dropout=0.0)
    train, _ = parts
    state = initial_state(model, RECIPE, (12, 12, 1), KEY)
    order = jnp.arange(32).reshape(2, 16)

    def loss(params):
        logits = model.apply({"params": params}, train.images[:16].astype(jnp.float32) / 255)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), train.labels[:16, None], 1).mean()

    adam = optax.adam(1e-3, b1=0.9, b2=0.999, eps=1e-7)
    value, gradient = jax.value_and_grad(loss)(state.params)
    updates, _ = adam.update(gradient, adam.init(state.params))
    expected = optax.apply_updates(state.params, updates)
    state, refused = make_step(model, RECIPE, prepare, KEY, steps=30)(state, train, order)
    assert float(state.totals.loss) / 16 == pytest.approx(float(value), rel=1e-5)
    assert int(refused) == 0
    # Adam's first update is the sign of the gradient, so a gradient at rounding error may go either way
    off = [np.mean(np.abs(a - b) > 1e-6) for a, b in zip(*map(jax.tree.leaves, (state.params, expected)), strict=True)]
    assert max(off) < 0.02
    assert int(state.totals.count) == 16


def test_evaluation_counts_no_padding(parts):
    model = CNN(classes=2)
    variables = initial_state(model, RECIPE, (12, 12, 1), KEY).variables
    whole = Examples(
        *(jnp.tile(rows, (4, *[1] * (rows.ndim - 1))) for rows in parts[0])
    )  # 640: a full chunk and a part
    loss, accuracy = make_evaluate(model, prepare)(variables, whole)
    logits = model.apply(variables, prepare(parts[0].images))
    assert accuracy == pytest.approx(float((logits.argmax(-1) == parts[0].labels).mean()))
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, parts[0].labels)
    assert loss == pytest.approx(float(losses.mean()), rel=1e-5)


class Bad:
    """A model whose loss is NaN for batches with a black image first."""

    def __init__(self, model):
        self.init, self.inner = model.init, model

    def apply(self, variables, images, **how):
        out = self.inner.apply(variables, images, **how)
        if not how.get("train"):
            return out
        return jnp.where((images == 0).all(), jnp.nan, 1.0) * out[0], out[1]


@pytest.fixture
def spoiled(parts):
    """Training images of which `count` batches of the first epoch are black, so that their updates are NaN."""

    def spoil(batches):
        data_key, _ = jax.random.split(KEY)
        order = jax.random.permutation(jax.random.fold_in(data_key, 0), 160).reshape(10, 16)
        rows = order[jnp.array(batches)].reshape(-1)
        return Examples(parts[0].images.at[rows].set(0), parts[0].labels), np.asarray(order)

    return spoil


def test_an_update_that_is_not_finite_is_refused_and_counted(parts, spoiled):
    train, _ = spoiled([2, 3, 7])
    model = Bad(CNN(classes=2))
    state, records = run(model, (train, parts[1]), recipe=replace(RECIPE, epochs=1))
    assert records[0]["refused"] == 3
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((state.params, state.opt_state)))
    assert int(state.opt_state[0].count) == 7
    assert (int(state.step), int(state.refused)) == (10, 0)


def test_three_refused_in_a_row_stop_the_training_with_their_images(parts, spoiled):
    train, order = spoiled([4, 5, 6])
    with pytest.raises(NotFinite, match=f"{REFUSALS} steps in a row, at last in step 7;") as raised:
        run(Bad(CNN(classes=2)), (train, parts[1]))
    assert {step: list(rows) for step, rows in raised.value.batches.items()} == {
        step: order[step - 1].tolist() for step in (5, 6, 7)
    }


def test_parameters_that_are_infinite_already_stop_it_too(parts):
    model = CNN(classes=2)
    state = initial_state(model, RECIPE, (12, 12, 1), KEY)
    state = state.replace(params=jax.tree.map(lambda leaf: leaf * jnp.inf, state.params))
    with pytest.raises(NotFinite, match="in a row, at last in step 3;"):
        run(model, parts, state)


def test_states_asked_for_within_an_epoch_change_nothing(parts):
    model = CNN(classes=2)
    whole, records = run(model, parts)
    start = initial_state(model, RECIPE, (12, 12, 1), KEY)
    seen = [
        (int(state.step), record is None)
        for state, record in fit(model, start, *parts, RECIPE, prepare, KEY, save_at=[1, 10, 13])
    ]
    assert seen == [(1, True), (10, False), (13, True), (20, False), (30, False)]
    again, same = run(model, parts, save_at=[1, 10, 13])
    assert equal(whole, again)
    assert without_times(records) == without_times(same)


@pytest.mark.parametrize(("count", "total"), [(1, 1), (24, 24), (24, 100), (24, 7200), (5, 1000), (1, 9)])
def test_log_spaced_steps_are_different_and_end_with_the_last(count, total):
    steps = log_spaced(count, total)
    assert len(steps) == len(set(steps)) == count
    assert steps == sorted(steps)
    assert steps[-1] == total
    assert steps[0] >= 1


def test_a_schedule_longer_than_the_run_is_refused():
    with pytest.raises(InputError, match="snapshots must be 1 to 10, the steps of the whole training; it was 11"):
        log_spaced(11, 10)


def test_what_is_kept():
    history = [{"epoch": n, "step": 10 * n, "val_loss": abs(n - 2)} for n in (1, 2, 3, 4, 5)]
    steps = [0, 1, 3, 10, 20, 30, 40, 50]
    assert Keep().of(steps, history) == {0, 20, 50}
    assert Keep(last=2, every=3, snapshots=[1, 3, 4]).of(steps, history) == {0, 1, 3, 20, 30, 40, 50}
    assert Keep().of([0], []) == {0}


def test_patience_counts_epochs_since_the_best():
    history = [{"val_loss": loss} for loss in (3.0, 1.0, 2.0)]
    recipe = Recipe(patience=2)
    assert best(history) is history[1]
    assert not is_over(history, recipe)
    assert is_over([*history, {"val_loss": 1.5}], recipe)
    assert is_over(history[:1], Recipe(epochs=1))
    assert not is_over([], recipe)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epochs": 0}, "epochs must be at least 1; it was 0"),
        ({"batch_size": -1}, "batch_size must be at least 1"),
        ({"validation": 1.0}, "between 0 and 1; it was 1.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(options, text):
    with pytest.raises(InputError, match=text):
        Recipe(**options)
