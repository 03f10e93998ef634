"""The ranking of images by a channel's largest values is that of a stable sort, for few and for many channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.units.highest import AT_ONCE, grown, none


@pytest.mark.parametrize("channels", [3, AT_ONCE, 2 * AT_ONCE + 7])
def test_the_ranking_is_that_of_a_stable_sort(channels):
    values = np.random.default_rng(0).integers(0, 12, (40, channels)).astype(np.float32)  # many ties
    ranked, step = none(4, channels), jax.jit(grown)
    for first in range(0, len(values), 8):
        ranked = step(ranked, jnp.asarray(values[first : first + 8]), jnp.arange(first, first + 8, dtype=jnp.int32))
    order = np.argsort(-values, axis=0, kind="stable")[:4]
    np.testing.assert_array_equal(ranked.images, order)
    np.testing.assert_array_equal(ranked.values, np.take_along_axis(values, order, 0))
