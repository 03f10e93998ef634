"""Metrics against the numbers that Quantus, Captum and Xplique gave for the same network, images and maps.

`tests/goldens/make_metrics.py` wrote them. Metrics that draw at random are compared with means over many draws.
"""

import json
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.metrics import measure
from tests.goldens.drawn import weight

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "metrics.json").read_text())
DRAW = np.random.default_rng(27)
IMAGES = DRAW.uniform(0.1, 1, (6, 8, 8, 1)).astype(np.float32)
MAPS = DRAW.normal(size=(6, 8, 8)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
KEY = jax.random.key(0)


class Net(nn.Module):
    """conv 3x3, ReLU, dense over values in PyTorch's order."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), use_bias=False, name="conv")(x)).transpose(0, 3, 1, 2)
        return nn.Dense(3, use_bias=False, name="logits")(x.reshape(len(x), -1))


KERNELS = {
    "conv": {"kernel": jnp.asarray(weight("conv.weight", (4, 1, 3, 3)).transpose(2, 3, 1, 0))},
    "logits": {"kernel": jnp.asarray(weight("dense.weight", (3, 256)).T)},
}


def ours(name, maps: Any = MAPS, **options: Any) -> Any:
    return measure(name, Net(), {"params": KERNELS}, IMAGES, LABELS, maps, key=KEY, **options)


def golden(library, name):
    return np.array(GOLDENS[library][name])


@pytest.mark.parametrize(("name", "of"), [("pixel_flipping", "logit"), ("pixel_flipping, probability", "probability")])
def test_the_curve_of_pixel_flipping_is_that_of_quantus(name, of):
    found = ours("pixel_flipping", pixels=4, infill="black", of=of, details=True).parts
    np.testing.assert_allclose(found[:, 1:], golden("quantus", name), atol=1e-4)


def test_road_is_that_of_quantus():
    found = ours("road", percentages=(20, 40, 60, 80), noise=0.0, details=True).parts
    np.testing.assert_allclose(found.mean(0), golden("quantus", "road"), atol=1e-6)


@pytest.mark.parametrize("name", ["complexity", "sparseness"])
def test_simplicity_is_that_of_quantus(name):
    np.testing.assert_allclose(ours(name), golden("quantus", name), atol=1e-5)


def test_non_sensitivity_is_the_share_of_the_pixels_that_quantus_counts():
    holes = np.where(abs(MAPS) < 0.3, 0, MAPS)
    np.testing.assert_allclose(ours("non_sensitivity", holes) * 64, golden("quantus", "non_sensitivity"), atol=1e-3)


def test_faithfulness_correlation_is_that_of_quantus_in_expectation():
    found = ours("faithfulness_correlation", samples=4000, size=8)
    np.testing.assert_allclose(found, golden("quantus", "faithfulness_correlation"), atol=0.06)


def test_max_sensitivity_is_that_of_quantus_for_as_many_draws():
    found = ours("max_sensitivity", None, method="gradient", samples=300, radius=0.05)
    np.testing.assert_allclose(found, golden("quantus", "max_sensitivity"), rtol=0.15)


def test_infidelity_is_that_of_captum_in_expectation():
    np.testing.assert_allclose(ours("infidelity", samples=8000, noise=0.1), golden("quantus", "infidelity"), rtol=0.08)


@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_deletion_and_insertion_are_those_of_xplique(name):
    np.testing.assert_allclose(ours(name, steps=8, infill=0.0), golden("xplique", name), atol=1e-4)


@pytest.mark.parametrize("name", ["average_drop", "average_increase", "average_gain"])
def test_drop_increase_and_gain_are_those_of_xplique(name):
    np.testing.assert_allclose(ours(name, absolute=True), golden("xplique", name), atol=1e-4)


def test_mu_fidelity_is_that_of_xplique_in_expectation():
    np.testing.assert_allclose(ours("mu_fidelity", samples=4000, grid=4), golden("xplique", "mu_fidelity"), atol=0.06)
