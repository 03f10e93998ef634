"""A value at a place in the order of many, against NumPy's sort."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution.order import smallest


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_it_is_the_sorted_value_at_that_place_in_every_type(dtype):
    with jax.enable_x64(dtype == "float64"):
        draw = np.random.default_rng(0)
        values = jnp.asarray(draw.exponential(size=(7, 9, 5)) * 10.0 ** draw.integers(-6, 4, (7, 9, 5)), dtype)
        values = values.at[:2].set(0).at[2, :3].set(jnp.inf).at[3].set(values[4]).at[-1, -1].set(jnp.nan)
        found = jax.jit(jax.vmap(smallest, (None, 0)))(values, jnp.arange(values.size))
        np.testing.assert_array_equal(np.asarray(found, float), np.sort(np.asarray(values, float), axis=None))
        assert found.dtype == values.dtype
