"""Propagation rules against Captum and zennit, where they are installed: the networks of `benchmarks/propagation.py`.

In double precision, so that what differs is the rule and not a rounded zero. Run with pytest -s for the table.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

for name in ("torch", "captum", "zennit"):
    pytest.importorskip(name)
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import propagation as benchmark  # noqa: E402

# zennit pads a strided convolution's ones with ones, and its excitation backprop gives the branch that a sum of both
# signs is not due to a negative share; Captum's LRP counts a skip connection's relevance as gradient
NOT_RESIDUAL = {
    "lrp, w^2 in all layers",
    "lrp, flat in all layers",
    "lrp_epsilon (Captum's LRP)",
    "excitation_backprop",
}


@pytest.fixture(scope="module")
def networks():
    with jax.enable_x64(True):
        double = lambda tree: jax.tree.map(lambda leaf: leaf.astype(jnp.float64), tree)
        found = benchmark.networks(None).items()
        yield {
            title: (model, double(variables), network.double(), double(images)[:8])
            for title, (model, variables, network, images) in found
        }


@pytest.mark.parametrize("name", benchmark.METHODS)
@pytest.mark.parametrize("title", ["the default network", "a residual network"])
def test_the_maps_are_the_peers(networks, title, name):
    if "residual" in title and name in NOT_RESIDUAL:
        pytest.skip("the peer is wrong, see above")
    ours, theirs = benchmark.maps(name, networks[title])
    gap = benchmark.difference(ours(), theirs())
    print(f"{title}, {name}: {gap:.1e}")
    assert gap < 1e-4
