"""Kernels and their statistics, against numbers computed by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import kernels
from cnnviz.probe import Layer

TREE = {
    "params": {
        "z": {"kernel": jnp.arange(12.0).reshape(2, 2, 1, 3), "bias": jnp.zeros(3)},
        "block": {"a": {"kernel": jnp.ones((1, 1, 3, 2))}},
        "dense": {"kernel": jnp.ones((2, 5))},
    },
    "batch_stats": {"norm": {"mean": jnp.zeros(9)}},
}


def test_only_convolutions_have_kernels_and_layers_give_the_order():
    assert set(kernels.kernels(TREE)) == {"z", "block/a"}
    layers = [Layer(name, "Conv", (1,), 0, None) for name in ("block/a", "z@0", "z@1", "dense")]
    assert list(kernels.kernels(TREE, layers)) == ["block/a", "z"]


def test_statistics_by_hand():
    assert kernels.statistics(TREE["params"]["z"]["kernel"]) == pytest.approx(
        {"mean": 5.5, "std": np.sqrt(143 / 12), "min": 0.0, "max": 11.0}
    )


@pytest.mark.parametrize("given", [TREE, kernels.weights(TREE)], ids=["variables", "kernels by name"])
def test_statistics_of_variables_are_those_of_every_layer(given):
    found = kernels.statistics(given)
    assert set(found) == {"z", "block/a", "dense"}
    assert found["z"] == kernels.statistics(TREE["params"]["z"]["kernel"])


def test_running_statistics_are_no_parameters():
    assert kernels.parameter_count(TREE) == 12 + 3 + 6 + 10
    assert kernels.parameter_counts(TREE) == {"z": 15, "block/a": 6, "dense": 10}
