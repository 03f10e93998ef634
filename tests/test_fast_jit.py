"""A compilation with options: the same result, one compilation, and inside another as plain `jax.jit`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import attribute
from cnnviz.attribution.methods.lrp import LRP
from cnnviz.fast.jit import are_known, compiled, options
from cnnviz.models.cnn import CNN
from cnnviz.propagation import lrp
from cnnviz.propagation.composites import layer


@pytest.fixture(params=["1", "0"], ids=["no options", "this machine's options"])
def scaled(request, monkeypatch):
    monkeypatch.setenv("CNNVIZ_PLAIN", request.param)

    @partial(compiled, static_argnums=0)
    def scaled(factor, x):
        return factor * x

    return scaled


def test_it_compiles_once(scaled):
    np.testing.assert_array_equal(scaled(3, jnp.arange(4.0)), 3 * np.arange(4.0))
    scaled(3, jnp.ones(4))
    assert scaled.cache_size() == 1
    scaled(2, jnp.ones(4))
    assert scaled.cache_size() == 2


def test_it_goes_inside_other_transforms(scaled):
    whole, fixed = jax.jit(lambda x: scaled(3, x)), jax.jit(lambda x: x + scaled(3, np.ones(2)))
    assert whole(2.0) == 6
    assert list(fixed(2.0)) == [5, 5]
    assert jax.grad(lambda x: scaled(3, x))(2.0) == 3
    assert list(jax.vmap(lambda x: scaled(3, x))(jnp.ones(2))) == [3, 3]


def test_the_first_call_of_all_may_be_inside_jit():
    are_known.cache_clear()
    scaled = compiled(lambda x: 3 * x)
    assert jax.jit(lambda x: scaled(x) + 1)(2.0) == 7


def test_an_option_that_this_jaxlib_does_not_have_is_not_known():
    assert not are_known((("xla_cpu_no_such_option", "1"),))
    assert are_known(tuple(options().items()))


@pytest.mark.parametrize("rule", [lrp.Flat(), lrp.WSquare()], ids=["flat", "w^2"])
def test_what_it_computes_of_many_images_is_right(rule):
    """Relevance is conserved; with an option that fuses products, jaxlib 0.10.2 gives zeros here."""
    model, images = CNN(), jax.random.uniform(jax.random.key(1), (64, 28, 28, 1))
    variables = jax.jit(model.init)(jax.random.key(0), images[:1])
    maps = attribute(LRP(composite=((layer, rule),)), model, variables, images, 3)
    np.testing.assert_allclose(maps.sum((1, 2)), model.apply(variables, images)[:, 3], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("axes", [(0, 1, 2), (3,), (0, 1, 2, 3), (1, 3)])
def test_its_sums_are_right(axes):
    x = jax.random.normal(jax.random.key(2), (33, 14, 14, 31))
    found = compiled(lambda x: x.sum(axes))(x)
    np.testing.assert_allclose(found, np.asarray(x, np.float64).sum(axes), rtol=1e-4, atol=1e-3)
    assert np.isnan(compiled(lambda x: x.sum(axes))(x.at[5, 3, 2, 1].set(np.nan))).sum() == 1
