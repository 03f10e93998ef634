"""Statistics of units are those of two passes in float64, however the images are divided."""

import os
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from cnnviz import probe, units
from cnnviz.errors import InputError
from cnnviz.units.buckets import bucket_count, bucket_of, edges_of, precision_for, quantiles, relative_error

ROOT = Path(__file__).parent.parent
EDGES = (-1.0, -0.25, 0.0, 0.5, 2.0)


class Net(nn.Module):
    """Channels that are dead, always on, far from zero, and alike in many images."""

    @nn.compact
    def __call__(self, x):
        bias = lambda *_: jnp.array([0.0, -1e3, 1e3, 0.1])
        x = nn.relu(nn.Conv(4, (3, 3), name="conv", bias_init=bias)(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(3, name="dense")(jnp.tanh(x).reshape(len(x), -1))


@pytest.fixture(scope="module")
def net():
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (70, 8, 8, 1), np.uint8), draw.integers(0, 3, 70)
    images[40] = images[3]  # a tie
    model = Net()
    return model, jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 1))), images, labels


def prepare(pixels):
    return pixels.astype(jnp.float32) / 255 - 0.5


def reference(net):
    """The layers' values as float64, `[n, places, c]`."""
    model, variables, images, _ = net
    found = probe.activations(model, variables, images, prepare=prepare)
    return {name: np.asarray(x, np.float64).reshape(len(images), -1, x.shape[-1]) for name, x in found.items()}


def check(found, values, labels):
    """Raises AssertionError unless the statistics are those of the values."""
    for name, x in values.items():
        stats, flat = found[name], x.reshape(-1, x.shape[-1])
        spread = np.abs(flat).max(0) + 1e-12
        assert (np.abs(stats.mean - flat.mean(0)) <= 1e-6 * spread).all()
        np.testing.assert_allclose(stats.deviation, flat.std(0), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(stats.low, flat.min(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(stats.high, flat.max(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(stats.zero, (flat == 0).mean(0))
        np.testing.assert_array_equal(stats.positive, (flat > 0).mean(0))
        np.testing.assert_array_equal(stats.dead, (flat == 0).all(0))
        np.testing.assert_array_equal(stats.always_on, (flat > 0).all(0))
        q = np.array([0, 0.01, 0.5, 0.99, 1])
        ranked = np.quantile(flat, q, axis=0, method="inverted_cdf")
        assert (np.abs(stats.quantile(q) - ranked) <= (stats.error + 1e-6) * np.abs(ranked) + 2**-16).all()
        classes = np.stack([x[labels == k].mean((0, 1)) for k in range(labels.max() + 1)])
        np.testing.assert_allclose(stats.class_means, classes, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(stats.class_images, np.bincount(labels))


@pytest.mark.parametrize("batch_size", [1, 64, 1000])
def test_statistics_are_those_of_two_passes_for_any_chunk(net, batch_size):
    *_, labels = net
    options = {"labels": labels, "k": 5, "prepare": prepare, "batch_size": batch_size}
    found, values = units.statistics(*net[:3], **options), reference(net)
    assert list(found) == list(values)
    check(found, values, labels)
    for name, x in values.items():
        highest = x.max(1)
        order = np.argsort(-highest, axis=0, kind="stable")[:5]
        top = found[name].top
        near = np.take_along_axis(highest, order, 0)
        np.testing.assert_allclose(top.values, near, rtol=1e-5, atol=1e-6)
        agree = np.abs(np.take_along_axis(highest, top.images, 0) - near) <= 1e-5 * np.abs(near)
        assert agree.all()


def test_ties_are_broken_by_the_image_and_by_the_place(net):
    model, variables, images, _ = net
    same = np.repeat(images[:1], 6, axis=0)
    found = units.top_k(model, variables, same, "conv,dense", k=4, prepare=prepare, batch_size=4)
    for top in found.values():
        np.testing.assert_array_equal(top.images, np.arange(4)[:, None].repeat(top.images.shape[1], 1))
    flat = units.top_k(model, variables, np.zeros_like(same), "relu", k=1, prepare=prepare)["relu"]
    dead = flat.values[0] == 0
    assert dead.any()
    assert (flat.places[0][dead] == 0).all()


def test_places_are_those_of_the_largest_values(net):
    model, variables, images, _ = net
    top = units.top_k(model, variables, images, "conv", k=3, prepare=prepare)["conv"]
    values = np.asarray(probe.activations(model, variables, images, "conv", prepare=prepare)["conv"])
    rows, columns = top.places[..., 0], top.places[..., 1]
    at = values[top.images, rows, columns, np.arange(4)[None]]
    np.testing.assert_array_equal(at, top.values)


def test_covariance_and_a_histogram_are_given_where_they_are_asked_for(net):
    model, variables, images, _ = net
    options = {"covariance": True, "edges": EDGES, "prepare": prepare, "batch_size": 16}
    found = units.statistics(model, variables, images, "conv,dense", **options)
    for name, x in reference(net).items():
        if name in found:
            flat = x.reshape(-1, x.shape[-1])
            covariance = np.cov(flat.T, bias=True)
            np.testing.assert_allclose(found[name].covariance, covariance, rtol=2e-5, atol=1e-5)
            counts = [np.histogram(channel, EDGES)[0] for channel in flat.T]
            np.testing.assert_array_equal(found[name].histogram, counts)
            correlation = np.asarray(found[name].correlation)
            np.testing.assert_allclose(np.diagonal(correlation), 1, atol=1e-5)
            assert found[name].class_means is None
            assert found[name].selectivity is None


def test_selectivity_is_one_for_a_channel_of_one_class_and_zero_for_one_of_all():
    class Identity(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.relu(x)

    labels = np.array([0, 0, 1, 1, 3])
    x = np.stack([labels == 1, np.ones(5), np.zeros(5), [4, 4, 1, 1, 3]], 1).astype(np.float32)
    stats = units.statistics(Identity(), {}, x, labels=labels)["relu"]
    np.testing.assert_allclose(stats.selectivity, [1, 0, 0, (4 - 2) / (4 + 2)], rtol=1e-6)
    assert np.isnan(stats.class_means[2]).all()
    assert stats.dead.tolist() == [False, False, True, False]
    assert stats.always_on.tolist() == [False, True, False, True]


def test_far_from_zero_the_deviation_is_still_right():
    class Identity(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.relu(x)

    x = (1e4 + np.random.default_rng(0).standard_normal((3000, 4, 4, 2))).astype(np.float32)
    flat = x.astype(np.float64).reshape(-1, 2)
    for size in (1000, 7):
        stats = units.statistics(Identity(), {}, x[: 1000 if size == 7 else 3000], batch_size=size)["relu"]
        part = flat if size != 7 else flat[:16000]
        np.testing.assert_allclose(stats.deviation, part.std(0), rtol=1e-5)
        np.testing.assert_allclose(stats.mean, part.mean(0), rtol=1e-7)


FOUR = """
import jax, sys
import numpy as np
sys.path.insert(0, "tests")
import test_units_statistics as tests
assert jax.local_device_count() == 4
model = tests.Net()
draw = np.random.default_rng(0)
images, labels = draw.integers(0, 256, (70, 8, 8, 1), np.uint8), draw.integers(0, 3, 70)
images[40] = images[3]
net = model, jax.jit(model.init)(jax.random.key(0), np.zeros((1, 8, 8, 1), np.float32)), images, labels
found = tests.units.statistics(*net[:3], labels=labels, k=5, covariance=True, prepare=tests.prepare, batch_size=8)
tests.check(found, tests.reference(net), labels)
same = tests.units.top_k(model, net[1], np.repeat(images[:1], 70, 0), "conv", k=9, prepare=tests.prepare, batch_size=8)
assert (same["conv"].images == np.arange(9)[:, None]).all()
np.savez(sys.argv[1], **{f"{name}.{field}": getattr(found[name], field) for name in found for field in
    ("mean", "deviation", "covariance", "counts", "class_means", "low", "high")},
    **{f"{name}.images": found[name].top.images for name in found})
"""


@pytest.mark.slow
def test_four_devices_give_what_one_gives(net, tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    command, out = [sys.executable, "-c", FOUR, str(tmp_path / "four.npz")], tmp_path / "four.npz"
    subprocess.run(command, env={**os.environ, **flags}, cwd=ROOT, check=True, timeout=300)
    options = {"labels": net[3], "k": 5, "covariance": True, "prepare": prepare, "batch_size": 8}
    one = units.statistics(*net[:3], **options)
    with np.load(out) as four:
        for name, stats in one.items():
            np.testing.assert_array_equal(four[f"{name}.counts"], stats.counts)
            np.testing.assert_array_equal(four[f"{name}.images"], stats.top.images)
            for field in ("mean", "deviation", "covariance", "class_means", "low", "high"):
                np.testing.assert_allclose(four[f"{name}.{field}"], getattr(stats, field), rtol=1e-5, atol=1e-6)


FINITE = st.floats(-(2.0**15), 2.0**15, width=32)


@settings(deadline=None, max_examples=60)
@given(arrays(np.float32, st.integers(1, 200), elements=FINITE), st.integers(1, 5), st.randoms())
def test_quantiles_are_within_the_stated_error_in_any_order(x, precision, random):
    order = random.choice([np.sort(x), np.sort(x)[::-1], x, np.sort(x)[np.argsort(np.arange(len(x)) % 2)]])
    counts = np.zeros((1, bucket_count(precision)), np.int64)
    for part in np.array_split(order, random.randint(1, len(x))):  # as chunks are, in turn
        buckets = np.asarray(bucket_of(jnp.asarray(np.resize(part, 200)), precision))  # one shape, one compilation
        counts += np.bincount(buckets[: len(part)], minlength=counts.shape[1])
    q = np.array([0, 0.1, 0.5, 0.9, 1])
    exact = np.quantile(x.astype(np.float64), q, method="inverted_cdf")
    found = np.clip(quantiles(counts, precision, q)[:, 0], x.min(), x.max())
    assert (np.abs(found - exact) <= relative_error(precision) * np.abs(exact) + 2**-16).all()


@pytest.mark.parametrize("precision", [1, 3, 5])
def test_buckets_are_those_of_numpy(precision):
    edges = edges_of(precision)
    inner = edges[1:-1].astype(np.float32)
    around = np.concatenate([inner, np.nextafter(inner, np.float32(np.inf)), np.nextafter(inner, np.float32(-np.inf))])
    around = around[(around == 0) | (np.abs(around) > 1e-37)]  # CPUs take smaller numbers for zero
    x = np.concatenate(
        [
            around,
            np.array([0, -0.0, 1e30, -1e30], np.float32),
            np.random.default_rng(0).normal(size=99).astype(np.float32),
        ]
    )
    found = np.asarray(bucket_of(jnp.asarray(x), precision))
    np.testing.assert_array_equal(found, np.searchsorted(edges, x, side="right") - 1)
    assert len(edges) == bucket_count(precision) + 1


def test_a_layer_of_many_channels_has_coarser_buckets():
    assert precision_for(10) == 5
    assert precision_for(3136) == 3
    assert precision_for(10**6) == 1


class Scalar(nn.Module):
    @nn.compact
    def __call__(self, x):
        self.sow("intermediates", "one", x.mean((1, 2, 3)))
        return nn.Dense(2)(x.mean((1, 2)))


def test_what_cannot_be_had_is_said(net):
    model, variables, images, labels = net
    statistics = lambda *layers, **options: units.statistics(
        model, variables, images, *layers, prepare=prepare, **options
    )
    with pytest.raises(InputError, match="did you mean 'conv'"):
        statistics("cnv")
    with pytest.raises(InputError, match="top 71 images cannot be had of 70"):
        statistics(k=71)
    with pytest.raises(InputError, match="k was 0"):
        units.top_k(model, variables, images, k=0, prepare=prepare)
    with pytest.raises(InputError, match="one label per image"):
        statistics(labels=labels[:-1])
    with pytest.raises(InputError, match="whole numbers from 0"):
        statistics(labels=labels - 1)
    with pytest.raises(InputError, match="rising"):
        statistics(edges=(1, 0))
    with pytest.raises(InputError, match="from 0 to 1"):
        statistics("dense")["dense"].quantile(1.5)
    with pytest.raises(InputError, match="do not fit"):
        units.statistics(model, variables, np.zeros((4, 12, 12, 1), np.uint8), prepare=prepare)


def test_a_layer_without_channels_is_left_out_or_named():
    images = np.random.default_rng(0).random((5, 4, 4, 3), np.float32)
    variables = Scalar().init(jax.random.key(0), images)
    assert "one" not in units.statistics(Scalar(), variables, images)
    with pytest.raises(InputError, match="'one' has no channels"):
        units.statistics(Scalar(), variables, images, "one")


def test_a_value_that_is_not_finite_is_named(net):
    model, variables, images, _ = net
    bias = variables["params"]["conv"]["bias"].at[2].set(jnp.nan)
    broken = {"params": {**variables["params"], "conv": {**variables["params"]["conv"], "bias": bias}}}
    with pytest.raises(InputError, match="'conv' is not finite .* in channel 2 for image 0;"):
        units.statistics(model, broken, images, prepare=prepare)
    floats = prepare(images.astype(np.float32))
    floats = np.array(floats)
    floats[31, 2, 2] = np.nan
    with pytest.raises(InputError, match="for image 31, as 3 more of its 4 channels"):
        units.top_k(model, variables, floats, k=1)


def test_an_interrupted_pass_raises_what_interrupted_it(net):
    def report(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        units.statistics(*net[:3], prepare=prepare, batch_size=8, report=report)


def test_foreign_networks_have_statistics(foreign, small_nnx, images):
    for model, variables in (foreign, probe.from_nnx(small_nnx)):
        found = units.statistics(model, variables, images, k=2)
        values = probe.activations(model, variables, images, list(found))
        for name, x in values.items():
            np.testing.assert_allclose(found[name].mean, np.asarray(x).reshape(-1, x.shape[-1]).mean(0), atol=1e-5)


class Copied(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.relu(x)


def test_quantiles_of_drawn_values_are_within_the_stated_rank_in_any_order():
    draw = np.random.default_rng(0)
    x = np.sort(draw.standard_normal((3000, 128, 1)).astype(np.float32) ** 3, axis=None).reshape(3000, 16, 8, 1)
    x = np.concatenate([x, x[::-1, ::-1]], axis=-1)  # rising and falling, from image to image and from place to place
    found = [units.statistics(Copied(), {}, x, "relu", batch_size=size)["relu"] for size in (500, 1000)]
    np.testing.assert_array_equal(found[0].counts, found[1].counts)
    stats, q = found[0], np.linspace(0.02, 0.98, 49)
    assert 2**18 <= stats.counts[0].sum() < x[..., 0].size
    assert 0 < stats.rank_error < 0.0065
    np.testing.assert_array_equal(stats.zero, (x <= 0).mean((0, 1, 2)))
    low, high = (
        np.quantile(np.maximum(x, 0).reshape(-1, 2), np.clip(q + sign * stats.rank_error, 0, 1), axis=0)
        for sign in (-1, 1)
    )
    answer = stats.quantile(q)
    assert (answer >= low * (1 - stats.error) - 2**-16).all()
    assert (answer <= high * (1 + stats.error) + 2**-16).all()


def test_a_pass_leaves_the_state_that_it_begins_with(net):
    model, variables, images, _ = net
    init = jnp.zeros(())
    count = lambda state, activations, mask: state + mask.sum()
    for _ in range(2):
        assert probe.fold(model, variables, images, "dense", init, count, prepare=prepare) == len(images)
    assert init == 0
