"""Training: it learns, every bit is decided by the key, a resumed run has the bits of one that went through."""

import itertools
from dataclasses import asdict, replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cnnviz.errors import InputError
from cnnviz.errors.wording import span
from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet
from cnnviz.networks import Prepare
from cnnviz.runs.keep import Keep, log_spaced
from cnnviz.training.advance import at_once, in_turn
from cnnviz.training.evaluate import make_evaluate
from cnnviz.training.feed import feed_of
from cnnviz.training.fit import fit
from cnnviz.training.members import best, by_seed, is_over, member
from cnnviz.training.mesh import check_batch, mesh_of
from cnnviz.training.optimizer import optimizer
from cnnviz.training.recipe import RECIPES, Recipe, seeds_of
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step
from cnnviz.training.watch import REFUSALS, NotFinite

PREPARE = Prepare()

RECIPE = Recipe(epochs=3, batch_size=16, patience=3)
VARIED = replace(RECIPE, shift=2, flip=True, erase=0.5, label_smoothing=0.1, average=0.9)
KEY = jax.random.key(0)
TIMES = {"seconds": 0, "images_per_second": 0}  # of a record, which no key decides


class Tiny(nn.Module):
    """A network that compiles in no time, with BatchNorm and dropout, for what does not depend on the network."""

    classes: int = 2

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.Dense(16, use_bias=False)(x.reshape(len(x), -1))  # a bias here would have no gradient but rounding
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(self.classes)(nn.Dropout(0.4)(x, deterministic=not train))


@pytest.fixture(scope="module")
def data(toy):
    return tuple(map(np.asarray, toy))


def run(model, data, states=None, recipe=RECIPE, seeds=(0,), images_on="device", **how):
    """The last states, with the records, of a whole run."""
    members = [member(seed, 200, recipe) for seed in seeds]
    last = [start(model, recipe, seed) for seed in seeds] if states is None else states
    records = []
    feed = feed_of(*data, mesh_of(1), images_on)
    for last, found in fit(model, last, feed, members, recipe, PREPARE, **how):  # noqa: B007, B020
        records += found
    return last, records


def start(model, recipe=RECIPE, seed=0):
    return initial_state(model, recipe, (12, 12, 1), jax.random.key(seed))


def equal(one, other):
    return all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), one, other)))


def without_times(records):
    return [{name: value for name, value in record.items() if name not in TIMES} for record in records]


def furthest(one, other):
    """The largest difference between two trees."""
    apart = jax.tree.map(lambda a, b: np.abs(np.asarray(a, float) - np.asarray(b, float)).max(), one, other)
    return max(jax.tree.leaves(apart))


@pytest.mark.parametrize("model", [CNN(classes=2), ResNet(classes=2, channels=4)])
def test_it_learns_and_repeats_itself_to_the_bit(model, data):
    states, records = run(model, data)
    again, same = run(model, data)
    assert records[-1]["train_loss"] < 0.7 * records[0]["train_loss"]
    assert equal(states, again)
    assert without_times(records) == without_times(same)
    assert [record["step"] for record in records] == [10, 20, 30]


ONE_CYCLE = replace(RECIPE, schedule="one_cycle", weight_decay=1e-4)
MUON = replace(ONE_CYCLE, optimizer="muon", average=0.9)


@pytest.mark.parametrize(
    ("model", "stop_at", "recipe", "seeds"),
    [
        (CNN(classes=2), 14, VARIED, [0]),
        (CNN(classes=2), 14, MUON, [0]),
        (Tiny(), 4, RECIPE, [0]),
        (Tiny(), 11, RECIPE, [0]),
        (Tiny(), 21, RECIPE, [0]),
        (Tiny(), 14, ONE_CYCLE, [0]),
        (Tiny(), 14, VARIED, [0, 1]),
    ],
)
def test_resumed_anywhere_it_has_the_same_bits(data, model, stop_at, recipe, seeds):
    whole, records = run(model, data, recipe=recipe, seeds=seeds)
    calls = itertools.count(1)
    states, first = run(model, data, recipe=recipe, seeds=seeds, stop=lambda: next(calls) == stop_at)
    assert [int(state.step) for state in states] == [stop_at - 1] * len(seeds)
    states, rest = run(model, data, states, recipe=recipe, seeds=seeds, history=first)
    assert equal(whole, states)
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


def test_muon_s_update_of_a_kernel_has_the_gradient_s_singular_vectors_and_nearly_equal_singular_values():
    """The oracle is NumPy's SVD: of a gradient U S V, the update is U S' V, whose mean square is Adam's times 0.2^2."""
    gradient = {"kernel": jax.random.normal(KEY, (3, 3, 2, 7)), "bias": jnp.array([1.0, -2.0])}
    params = jax.tree.map(jnp.zeros_like, gradient)
    update = optimizer(replace(RECIPE, optimizer="muon", learning_rate=0.1), steps=1)
    updates, _ = update.update(gradient, update.init(params), params)
    left, _, right = np.linalg.svd(np.asarray(gradient["kernel"], float).reshape(18, 7), full_matrices=False)
    among = -left.T @ np.asarray(updates["kernel"]).reshape(18, 7) @ right.T / (0.1 * 0.2 * 18**0.5)
    np.testing.assert_allclose(among - np.diag(np.diag(among)), 0, atol=1e-4)
    assert 0.6 < np.diag(among).min() <= np.diag(among).max() < 1.3  # what five of its iterations leave
    nadam = 0.1 * (0.09 / 0.19 + 1)  # a first update of Adam with Nesterov's momentum
    np.testing.assert_allclose(updates["bias"], [-nadam, nadam], rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_weight_decay_pulls_kernels_and_biases_to_zero_by_their_share(name):
    params = {"kernel": jnp.full((2, 3), 2.0), "bias": jnp.ones(3)}
    update = optimizer(replace(RECIPE, weight_decay=0.1, optimizer=name), steps=1)
    updates, _ = update.update(jax.tree.map(jnp.zeros_like, params), update.init(params), params)
    share = -0.1 * RECIPE.learning_rate
    np.testing.assert_allclose(updates["kernel"], share * params["kernel"], rtol=1e-5)
    np.testing.assert_allclose(updates["bias"], share * params["bias"], rtol=1e-5)


def test_every_recipe_is_one_that_a_run_can_load_again():
    assert all(Recipe(**asdict(recipe)) == recipe for recipe in RECIPES.values())
    assert RECIPES["classic"] == Recipe()
    assert RECIPES["fast"].schedule == "one_cycle"


def test_another_seed_gives_another_split_and_no_image_is_lost():
    one, other = member(0, 200, RECIPE), member(1, 200, RECIPE)
    assert (len(one.training), len(one.validation)) == (160, 40)
    assert sorted([*one.training, *one.validation]) == list(range(200))
    assert not equal(one.validation, other.validation)
    assert not equal(one.order(0, 16), one.order(1, 16))
    assert sorted(one.order(0, 16).reshape(-1)) == sorted(one.training)
    assert one.order(0, 48).shape == (3, 48)


def test_one_step_is_adam_on_the_mean_cross_entropy(data):
    """An oracle with no code of the step: the chapter's optimizer by optax's own names, dropout switched off."""
    model = CNN(classes=2, dropout=0.0)
    images, labels = (jnp.asarray(rows[:16]) for rows in data)
    state = start(model)

    def loss(params):
        logits = model.apply({"params": params}, images.astype(jnp.float32) / 255)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    adam = optax.adam(1e-3, b1=0.9, b2=0.999, eps=1e-7)
    value, gradient = jax.value_and_grad(loss)(state.params)
    updates, _ = adam.update(gradient, adam.init(state.params))
    expected = optax.apply_updates(state.params, updates)
    state, refused = jax.jit(make_step(model, RECIPE, PREPARE, steps=30))(state, KEY, images, labels)
    assert float(state.totals.loss) / 16 == pytest.approx(float(value), rel=1e-5)
    assert int(refused) == 0
    # Adam's first update is the sign of the gradient, so a gradient at rounding error may go either way
    off = [np.mean(np.abs(a - b) > 1e-6) for a, b in zip(*map(jax.tree.leaves, (state.params, expected)), strict=True)]
    assert max(off) < 0.02
    assert int(state.totals.count) == 16


def test_smoothed_labels_spread_their_share_over_all_classes(data):
    """The gradient's oracle: with a share s of smoothing the loss is (1 - s) times the label's and s times the mean."""
    model = CNN(classes=2, dropout=0.0)
    images, labels = (jnp.asarray(rows[:16]) for rows in data)

    def loss(params):
        logs = jax.nn.log_softmax(model.apply({"params": params}, images.astype(jnp.float32) / 255))
        return -(0.7 * jnp.take_along_axis(logs, labels[:, None], 1) + 0.3 * logs.mean(1, keepdims=True)).mean()

    expected = jax.grad(loss)(start(model).params)
    smoothed = replace(RECIPE, label_smoothing=0.3)
    state, _ = jax.jit(make_step(model, smoothed, PREPARE, steps=30))(start(model), KEY, images, labels)
    moment = state.opt_state[0].mu  # a tenth of the first gradient
    assert furthest(moment, jax.tree.map(lambda leaf: leaf / 10, expected)) < 1e-7


def test_the_average_is_at_first_the_mean_of_all_and_then_decays(data):
    model, recipe = Tiny(), replace(RECIPE, average=0.6)
    step = jax.jit(make_step(model, recipe, PREPARE, steps=30))
    state, seen = start(model, recipe), []
    for _ in range(4):
        state, _ = step(state, KEY, data[0][:16], data[1][:16])
        seen.append(jax.tree.leaves(state.latest)[0])
    # the paces are 1, 1/2, 0.4, 0.4
    mean = (seen[0] + seen[1]) / 2
    for later in seen[2:]:
        mean = 0.6 * mean + 0.4 * later
    np.testing.assert_allclose(jax.tree.leaves(state.variables)[0], mean, rtol=1e-5, atol=1e-7)


def test_in_bfloat16_it_learns_and_its_parameters_stay_float32(data):
    states, records = run(CNN(classes=2), data, recipe=replace(RECIPE, precision="bfloat16"))
    _, exact = run(CNN(classes=2), data)
    assert {leaf.dtype for leaf in jax.tree.leaves(states[0].params)} == {jnp.dtype("float32")}
    assert records[-1]["val_accuracy"] > 0.9
    assert records[0]["train_loss"] != exact[0]["train_loss"]
    assert records[0]["train_loss"] == pytest.approx(exact[0]["train_loss"], rel=0.05)


def test_evaluation_counts_no_padding(data):
    model = Tiny()
    variables = start(model).variables
    feed = feed_of(*data, mesh_of(1))
    rows = np.tile(np.arange(160), 4)  # 640: a full chunk and a part
    loss, accuracy = make_evaluate(model, PREPARE)(variables, feed, rows)
    images, labels = (jnp.asarray(rows[:160]) for rows in data)
    logits = model.apply(variables, PREPARE(images))
    assert accuracy == pytest.approx(float((logits.argmax(-1) == labels).mean()))
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    assert loss == pytest.approx(float(losses.mean()), rel=1e-5)


class Bad(nn.Module):
    """A model whose loss is NaN for batches of black images."""

    @nn.compact
    def __call__(self, x, *, train=False):
        out = Tiny()(x, train=train)
        return jnp.where((x == 0).all(), jnp.nan, 1.0) * out if train else out


@pytest.fixture
def spoiled(data):
    """Images of which `batches` of the first epoch are black, so that their updates are NaN, and that epoch's rows."""

    def spoil(batches, seed=0):
        order = member(seed, 200, RECIPE).order(0, 16)
        images = data[0].copy()
        images[order[batches].reshape(-1)] = 0
        return (images, data[1]), order

    return spoil


def test_an_update_that_is_not_finite_is_refused_and_counted(spoiled):
    images, _ = spoiled([2, 3, 7])
    (state,), records = run(Bad(), images, recipe=replace(RECIPE, epochs=1))
    assert records[0]["refused"] == 3
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((state.params, state.opt_state)))
    assert int(state.opt_state[0].count) == 7
    assert (int(state.step), int(state.refused)) == (10, 0)


@pytest.mark.parametrize("at_a_time", [in_turn, at_once])
@pytest.mark.parametrize("seeds", [[0], [1, 0]])
def test_three_refused_in_a_row_stop_the_training_with_their_images(spoiled, seeds, at_a_time):
    images, order = spoiled([4, 5, 6])
    with pytest.raises(NotFinite, match=f"{REFUSALS} steps in a row, at last in step 7;") as raised:
        run(Bad(), images, seeds=seeds, at_a_time=at_a_time)
    assert {step: list(rows) for step, rows in raised.value.batches.items()} == {
        step: order[step - 1].tolist() for step in (5, 6, 7)
    }


def test_parameters_that_are_infinite_already_stop_it_too(data):
    state = start(Tiny())
    state = state.replace(params=jax.tree.map(lambda leaf: leaf * jnp.inf, state.params))
    with pytest.raises(NotFinite, match="in a row, at last in step 3;"):
        run(Tiny(), data, [state])


def test_states_asked_for_within_an_epoch_change_nothing(data):
    model = Tiny()
    whole, records = run(model, data)
    feed, one = feed_of(*data, mesh_of(1)), member(0, 200, RECIPE)
    seen = [
        (int(states[0].step), not found)
        for states, found in fit(model, [start(model)], feed, [one], RECIPE, PREPARE, save_at=[1, 10, 13])
    ]
    assert seen == [(1, True), (10, False), (13, True), (20, False), (30, False)]
    again, same = run(model, data, save_at=[1, 10, 13])
    assert equal(whole, again)
    assert without_times(records) == without_times(same)


def test_images_in_the_host_s_memory_give_the_same_bits(data):
    whole, records = run(Tiny(), data, recipe=VARIED, seeds=[3, 4])
    again, same = run(Tiny(), data, recipe=VARIED, seeds=[3, 4], images_on="host")
    assert equal(whole, again)
    assert without_times(records) == without_times(same)


def test_a_network_among_several_has_the_bits_of_one_alone(data):
    together, records = run(Tiny(), data, seeds=[0, 1, 2])
    alone, own = run(Tiny(), data, seeds=[1])
    assert equal(together[1], alone[0])
    assert without_times(by_seed(records)[1]) == without_times([{"seed": 1, **record} for record in own])
    assert not equal(together[0].params, together[1].params)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "images_on", "seeds", "name"),
    [
        (CNN(classes=2), "device", [0, 1], "adam"),
        (CNN(classes=2), "device", [0, 1], "muon"),
        (Tiny(), "host", [0, 1], "adam"),
        (Tiny(), "device", [0], "adam"),
    ],
)
def test_steps_taken_all_at_once_are_those_taken_in_turn(data, model, images_on, seeds, name):
    # else Adam makes a step of rounding, where a gradient is near zero, and so does Muon in spite of it
    gentle, apart = replace(VARIED, optimizer=name, epsilon=1e-2), {"adam": 2e-5, "muon": 1e-3}[name]
    how = {"recipe": gentle, "seeds": seeds, "save_at": [4]}
    turns, records = run(model, data, at_a_time=in_turn, **how)
    once, same = run(model, data, at_a_time=at_once, images_on=images_on, **how)
    assert furthest(turns, once) < apart
    for one, other in zip(records, same, strict=True):
        assert {**one, **TIMES} == pytest.approx({**other, **TIMES}, abs=5 * apart)


@pytest.mark.parametrize("at_a_time", [in_turn, at_once])
def test_a_network_that_stopped_early_stays_as_it_is(data, at_a_time):
    recipe, step = replace(RECIPE, epochs=3, patience=1), jnp.int32(20)
    begun = [start(Tiny(), recipe, seed).replace(step=step + 0) for seed in (0, 1)]
    losses = {0: (1.0, 2.0), 1: (2.0, 1.0)}  # the first has not improved in its second epoch
    history = [{"seed": n, "epoch": epoch, "val_loss": losses[n][epoch - 1]} for epoch in (1, 2) for n in (0, 1)]
    before = jax.tree.map(np.array, begun)
    (stopped, moved), records = run(Tiny(), data, begun, recipe, (0, 1), history=history, at_a_time=at_a_time)
    assert equal(stopped, before[0])
    assert not equal(moved.params, before[1].params)
    assert (int(moved.step), [(record["seed"], record["epoch"]) for record in records]) == (30, [(1, 3)])


@pytest.mark.parametrize(("count", "total"), [(1, 1), (24, 24), (24, 100), (24, 7200), (5, 1000), (1, 9)])
def test_log_spaced_steps_are_different_and_end_with_the_last(count, total):
    steps = log_spaced(count, total)
    assert len(steps) == len(set(steps)) == count
    assert steps == sorted(steps)
    assert steps[-1] == total
    assert steps[0] >= 1


def test_a_schedule_longer_than_the_run_is_refused():
    with pytest.raises(InputError, match="snapshots must be from 1 to 10, the steps of the whole training; it was 11"):
        log_spaced(11, 10)


def test_what_is_kept():
    history = [{"epoch": n, "step": 10 * n, "val_loss": abs(n - 2)} for n in (1, 2, 3, 4, 5)]
    steps = [0, 1, 3, 10, 20, 30, 40, 50]
    assert Keep().of(steps, history) == {0, 20, 50}
    assert Keep(last=2, every=3, snapshots=[1, 3, 4]).of(steps, history) == {0, 1, 3, 20, 30, 40, 50}
    assert Keep().of([0], []) == {0}
    two = [
        {"seed": seed, **record, "val_loss": abs(record["epoch"] - 2 - seed)} for record in history for seed in (0, 1)
    ]
    assert Keep().of(steps, two) == {0, 20, 30, 50}


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
        ({"learning_rate": float("nan")}, "learning_rate must be positive and finite in float32; it was nan"),
        ({"erase": 1.0}, "erase must be at least 0 and less than 1; it was 1.0"),
        ({"shift": -1}, "shift must be at least 0"),
        ({"optimizer": "muonn"}, "did you mean 'muon'"),
        ({"schedule": "onecycle"}, "did you mean 'one_cycle'"),
        ({"precision": "float16"}, "did you mean 'bfloat16'"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(options, text):
    with pytest.raises(InputError, match=text):
        Recipe(**options)


def test_what_seeds_and_devices_there_cannot_be_is_said():
    assert list(seeds_of(Recipe(seed=5), 3)) == [5, 6, 7]
    with pytest.raises(InputError, match="seeds must be at least 1; it was 0"):
        seeds_of(RECIPE, 0)
    with pytest.raises(InputError, match="seed must be from -2\\^63 to 2\\^63 - 1"):
        seeds_of(Recipe(seed=2**63 - 2), 3)
    many = jax.device_count() + 1
    with pytest.raises(InputError, match=f"devices must be {span(many - 1)}, as many as there are; it was {many}"):
        mesh_of(many)
    check_batch(7, mesh_of(1))
