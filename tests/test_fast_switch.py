"""The law of `fast/`: with `CNNVIZ_PLAIN=1` every rewrite is off, and every result stays."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import METHODS, attribute, build, suite
from cnnviz.attribution.shapes import options_in
from cnnviz.fast.jit import options
from cnnviz.fast.linear_samples import over_samples
from cnnviz.fast.rewrite import deduplicated, faster, with_fast_convolutions
from cnnviz.fast.switch import REWRITES, Rewrite, is_on
from cnnviz.graph import Graph
from cnnviz.networks import Prepare
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

PREPARE = Prepare()
KEY = jax.random.key(3)
APPLICABLE = [name for name in METHODS if not name.startswith("attention")]  # the network has none
FEW = {"samples": 3, "steps": 3}


class Network(nn.Module):
    """Few channels, max-pools with windows that overlap and that do not, BatchNorm, and a head that CAM takes."""

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3))(x)), (2, 2), strides=(2, 2))
        x = nn.Conv(6, (3, 3), use_bias=False)(nn.max_pool(x, (3, 3)))  # a bias would have no gradient but rounding
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        self.sow("intermediates", "relu", x)
        return nn.Dense(3)(x.mean((1, 2)))


def drawn():
    """Images `[64 12 12 1]` and their labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (64, 12, 12, 1), np.uint8), rng.integers(0, 3, 64).astype(np.int32)


def trained():
    """The state before and after one step of training over 64 images."""
    images, labels = drawn()
    recipe = Recipe(epochs=1, batch_size=64)
    before = initial_state(Network(), recipe, images.shape[1:], KEY)
    step = jax.jit(make_step(Network(), recipe, PREPARE, 1), compiler_options=options())
    return before, step(before, KEY, images, labels)[0]


def results():
    """By name, the map `[8 h w]` of each method, few samples or steps of it, and the leaves of a trained state."""
    before, after = trained()
    known = lambda name: options_in(build(name))
    methods = {name: build(name, **{k: v for k, v in FEW.items() if k in known(name)}) for name in APPLICABLE}
    images = PREPARE(drawn()[0][:8])
    variables = {"params": before.params, "batch_stats": before.batch_stats}
    maps = suite(methods, Network(), variables, images, np.arange(8) % 3, key=KEY)
    leaves = jax.tree_util.tree_leaves_with_path(after)
    return {**maps, **{jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the rewrites are mostly of CPU")
@pytest.mark.slow
def test_every_result_is_the_same_with_all_rewrites_off(tmp_path):
    """A wrong max-pool, convolution, gradient, sum over samples or duplicate shows in one of these."""
    path, root = tmp_path / "plain.npz", Path(__file__).parent.parent
    environment = {**os.environ, "CNNVIZ_PLAIN": "1", "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, __file__, path], env=environment, cwd=root, check=True)
    plain, found = np.load(path), results()
    assert set(plain) == set(found) >= set(APPLICABLE)
    for name, array in found.items():
        scale = max(np.abs(plain[name]).max(initial=0), 1e-30)
        np.testing.assert_allclose(array, plain[name], atol=1e-4 * scale, err_msg=name)


def pooled(x):
    return nn.max_pool(x, (2, 2), strides=(2, 2))


def test_the_switch_turns_every_entry_point_off(monkeypatch):
    on = {rewrite for rewrite in Rewrite if is_on(rewrite)}
    assert on == REWRITES[jax.default_backend()]
    monkeypatch.setenv("CNNVIZ_PLAIN", "1")
    assert not is_on(*Rewrite)
    assert faster(pooled) is faster(pooled, images=0) is pooled
    assert deduplicated(pooled) is with_fast_convolutions(pooled) is pooled
    assert options() == options(large_sums=True) == {}


def test_without_the_switch_s_linear_samples_each_sample_is_computed(monkeypatch):
    kernel = jnp.ones((3, 3, 1, 2))
    convolved = lambda i: jax.lax.conv(jnp.ones((1, 1, 5, 5)) * i, kernel.T, (1, 1), "SAME")

    def images():
        graph, _ = Graph.of(lambda first: over_samples(convolved, first, 4, 4, keep=False), 0)
        return [node.inputs[0].shape for node in graph.nodes if node.name == "conv_general_dilated"]

    assert images() == [(1, 1, 5, 5)]
    monkeypatch.setenv("CNNVIZ_PLAIN", "1")
    assert images() == [(4, 1, 5, 5)]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="these rewrites are of CPU")
@pytest.mark.parametrize("method", ["gradient", "lrp_epsilon_plus"])
def test_a_method_s_max_pools_are_primitives_only_with_the_switch(monkeypatch, method):
    model, images = Network(), PREPARE(drawn()[0][:2])
    variables = model.init(KEY, images)
    pools = lambda: jax.jit(partial(attribute, method, model)).lower(variables, images, 1).as_text()
    assert "reduce_window" not in pools()
    monkeypatch.setenv("CNNVIZ_PLAIN", "1")
    jax.clear_caches()
    assert "reduce_window" in pools()


if __name__ == "__main__":
    np.savez(sys.argv[1], **results())
