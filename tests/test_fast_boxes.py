"""A change in a box of an image: what is computed only where it reaches is what the entire network gives."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.attribution.methods.windows import windows_over
from cnnviz.attribution.segments import bounds_of
from cnnviz.fast import boxes as fast
from cnnviz.graph import Graph
from cnnviz.graph.boxes import Boxes, reached
from cnnviz.graph.cost import products

KEY, KINDS = jax.random.key(0), ("conv", "depthwise", "max", "mean", "norm", "residual", "beside", "padded", "gelu")


class Drawn(nn.Module):
    """Layers of random kinds with random windows, strides, dilation and padding."""

    seed: int
    kinds: tuple[str, ...]

    @nn.compact
    def __call__(self, x):
        rng, sides = np.random.default_rng(self.seed), x.ndim - 2
        each = lambda low, high: tuple(int(n) for n in rng.integers(low, high, sides))
        for kind in self.kinds:
            padding = str(rng.choice(["SAME", "VALID"]))
            if kind == "conv":
                window, strides, dilation = each(1, 4), each(1, 3), each(1, 3)
                x = nn.relu(nn.Conv(4, window, strides=strides, kernel_dilation=dilation)(x))
            elif kind == "depthwise":
                x = nn.Conv(x.shape[-1], each(1, 4), feature_group_count=x.shape[-1], padding=padding)(x)
            elif kind in ("max", "mean"):
                pool = nn.max_pool if kind == "max" else nn.avg_pool
                x = pool(x, each(2, 4), each(1, 3), padding)
            elif kind == "norm":
                x = nn.LayerNorm()(x)
            elif kind == "residual":
                x = x + nn.Conv(x.shape[-1], each(1, 4))(x)
            elif kind == "beside":
                x = jnp.concatenate([x, nn.Conv(2, each(1, 4))(x)], -1)
            elif kind == "padded":
                x = jnp.pad(x, [(0, 0), *[(1, 2)] * sides, (0, 0)])[:, 1::2]
            else:
                x = nn.gelu(x) * 0.5
        return nn.Dense(3)(nn.tanh(x.reshape(len(x), -1)))


def differences(model, shape, windows, infill=7.0):
    """Of every window, the score of the changed image: computed in boxes, and entirely; and the share of products."""
    image = jax.random.normal(KEY, shape)
    variables = model.init(KEY, image[None])
    score = lambda x: model.apply(variables, x[None])[0].sum()

    def both(i):
        changed = jnp.where(windows.inside(windows.corner(i)), infill, image)
        return fast.with_box(score, image, changed, windows.boxes, i), score(changed)

    return jax.jit(jax.vmap(both))(jnp.arange(len(windows.boxes.starts)))


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(s, marks=pytest.mark.slow) for s in range(2, 30))])
def test_random_networks_give_the_same_in_boxes(seed, monkeypatch):
    monkeypatch.setattr(fast, "LEAST_SAVED", -1.0)  # also where nothing is saved
    monkeypatch.setattr(fast, "MOST_SHARE", 0.95)
    rng = np.random.default_rng(seed)
    kinds = tuple(rng.choice(KINDS, 3).tolist())
    shape = [(15, 13, 2), (30, 3), (7, 8, 6, 1)][seed % 3]
    windows = windows_over(shape, tuple(int(n) for n in rng.integers(1, 6, len(shape) - 1)), int(rng.integers(2, 4)))
    found, plain = differences(Drawn(seed, ("conv", *kinds)), shape, windows)
    np.testing.assert_allclose(found, plain, atol=1e-5 * float(abs(plain).max()), rtol=1e-5)
    assert np.ptp(plain) > 0


def test_a_small_window_saves_most_products():
    model = Drawn(1, ("conv", "max", "residual"))
    image = jnp.zeros((32, 32, 1))
    score: Any = lambda x: jnp.sum(jnp.asarray(model.apply(model.init(KEY, x[None]), x[None])))
    windows = windows_over(image.shape, 3, 3)

    def spent(boxed):
        def one(image, changed, i):
            return fast.with_box(score, image, changed, windows.boxes, i) if boxed else score(changed)

        graph, _ = Graph.of(one, image, image, jnp.int32(0))
        return products(graph, *graph.inputs[1:])

    assert spent(True) < 0.25 * spent(False)


def test_boxes_are_where_the_change_is():
    """The box of a value has every index that differs, and no rows or columns beside them but for the network's own."""
    w = jnp.ones((3, 3, 1, 1))
    convolved = lambda x: jax.lax.conv_general_dilated(
        x[None], w, (2, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    image = jnp.zeros((12, 9, 1))
    graph, _ = Graph.of(convolved, image)
    boxes = Boxes((0, 1), np.array([[4, 3]]), (2, 2))
    found = reached(graph, graph.inputs[0], boxes)[graph.outputs[0]]
    rows, columns = np.nonzero(np.asarray(convolved(image.at[4:6, 3:5].set(1)))[0, ..., 0])
    assert found.axes == (1, 2)
    assert found.starts.tolist() == [[rows.min(), columns.min()]]
    assert found.sizes == (np.ptp(rows) + 1, np.ptp(columns) + 1)


def test_a_box_of_most_of_the_image_is_computed_entirely():
    windows = windows_over((12, 12, 1), 10, 1)
    found, plain = differences(Drawn(0, ("conv", "max")), (12, 12, 1), windows)
    np.testing.assert_allclose(found, plain, rtol=1e-5)


def test_bounds_of_segments_are_their_smallest_boxes():
    mask = np.zeros((5, 6), int)
    mask[1:3, 4:] = 7
    mask[4, 0] = 3
    bounds = bounds_of(mask, (5, 6, 2))
    assert bounds is not None
    assert bounds.starts == ((0, 0), (4, 0), (1, 4))
    assert bounds.sizes == (5, 6)
    assert bounds_of(np.stack([mask, mask]), (5, 6, 2)) is None


def test_weights_that_differ_between_places_are_those_of_the_place():
    class Local(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.relu(nn.ConvLocal(4, (3, 3))(nn.Conv(2, (3, 3))(x))).reshape(len(x), -1))

    images = jax.random.uniform(KEY, (2, 16, 16, 1))
    variables = Local().init(KEY, images)
    found = attribute("feature_ablation", Local(), variables, images, 1, mask="grid:8", channels="sum")
    whole = probe.logits(Local(), variables, images)[:, 1]
    corner = probe.logits(Local(), variables, images.at[:, :2, :2].set(0))[:, 1]
    np.testing.assert_allclose(found[:, 0, 0], whole - corner, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("occlusion", {"window": (4, 3), "stride": 2, "infill": "mean"}),
        ("feature_ablation", {"mask": "grid:5"}),
        ("sobol", {"mask": "grid:5", "samples": 6}),
    ],
)
def test_methods_give_the_same_without_boxes(name, options, monkeypatch):
    model, images = Drawn(1, ("conv", "max", "norm")), jax.random.uniform(KEY, (2, 20, 18, 1))
    variables = model.init(KEY, images)
    give = lambda at: np.asarray(attribute(name, model, variables, images, [0, 2], key=KEY, at=at, **options))
    places = [None, probe.layers(model, variables, (20, 18, 1))[0].name]
    found = [give(at) for at in places]
    monkeypatch.setattr(fast, "_is_worth", lambda *graph_and_boxes: False)
    jax.clear_caches()
    for one, at in zip(found, places, strict=True):
        plain = give(at)
        assert abs(plain).max() > 0.1  # not what rounding leaves
        np.testing.assert_allclose(one, plain, atol=1e-5 * abs(plain).max())
