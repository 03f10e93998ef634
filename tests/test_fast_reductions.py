"""Reductions over places are NumPy's, for any number of places."""

import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.fast.reductions import Reduction, over_places


@pytest.mark.parametrize("places", [1, 5, 28, 29, 31, 49, 784])
def test_reductions_are_those_of_numpy(places):
    x = np.random.default_rng(0).integers(-9, 9, (3, places, 2)).astype(np.float32)
    asked = {
        "sum": Reduction(jnp.add, lambda x: x),
        "squares": Reduction(jnp.add, lambda x: x * x),
        "highest": Reduction(jnp.maximum, lambda x: x),
        "lowest": Reduction(jnp.minimum, lambda x: x),
    }
    found = over_places(jnp.asarray(x), asked)
    for name, expected in {"sum": x.sum(1), "squares": (x * x).sum(1), "highest": x.max(1), "lowest": x.min(1)}.items():
        np.testing.assert_array_equal(found[name], expected)


def test_no_reductions_are_none():
    assert over_places(jnp.zeros((2, 28, 3)), {}) == {}
