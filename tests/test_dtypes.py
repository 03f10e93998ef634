"""Every method explains models of every floating-point type: in float32 at least, and in float64 where the model is."""

from dataclasses import fields

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import METHODS, attribute, build, suite
from cnnviz.graph.precision import in_float32
from cnnviz.registry import resolve

KEY = jax.random.key(7)
FEW = {"samples": 3, "steps": 3}


class Tiny(nn.Module):
    """A network that every method can explain, whose layers compute in `dtype`."""

    dtype: object = None

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv1", dtype=self.dtype)(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(5, (3, 3), name="conv2", dtype=self.dtype)(x))
        self.sow("intermediates", "relu2", x)
        return nn.Dense(3, name="logits", dtype=self.dtype)(x.mean((1, 2)))


class Attending(nn.Module):
    """Attention between the places of a convolution, whose layers compute in `dtype`."""

    dtype: object = None

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (4, 4), strides=2, name="stem", dtype=self.dtype)(x).reshape(len(x), -1, 4)
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, name="attention", dtype=self.dtype)(x, x)
        return nn.Dense(3, name="logits", dtype=self.dtype)(x.mean(1))


def draw(dtype=jnp.float32, model=Tiny):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(model().init, KEY, jnp.zeros((1, 8, 8, 3)))["params"]
    return {"params": jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.4, leaf.shape), dtype), shapes)}


def methods():
    names = [name for name in METHODS if not name.startswith("attention")]  # the network has none
    known = {name: {field.name for field in fields(resolve(METHODS, name, "method"))} for name in names}
    return {name: build(name, **{k: v for k, v in FEW.items() if k in known[name]}) for name in names}


FAMILIES = (  # a method of each kind of computation; all of them compile for minutes
    "gradient",
    "smooth_grad",
    "guided_ig",
    "grad_cam_pp",
    "score_cam",
    "eigen_cam",
    "kpca_cam",
    "guided_backprop",
    "lrp_epsilon_gamma_box",
    "deep_lift",
    "excitation_backprop",
    "full_grad",
    "layer_conductance",
    "occlusion",
    "lime",
    "shapley_sampling",
    "sobol",
    "hsic",
)


def one_of_each():
    every = methods()
    return {name: every[name] for name in FAMILIES}


IMAGES = jnp.asarray(np.random.default_rng(1).uniform(size=(3, 8, 8, 3)), jnp.float32)


@pytest.fixture(scope="module")
def expected():
    return suite(methods(), Tiny(), draw(), IMAGES, 1, key=KEY)


@pytest.mark.slow
def test_a_model_of_bfloat16_is_explained_as_in_float32_by_every_method(expected):
    found = suite(methods(), Tiny(jnp.bfloat16), draw(), IMAGES, 1, key=KEY)
    for name, maps in found.items():
        assert maps.dtype == jnp.float32, name
        scale = float(jnp.abs(expected[name]).max())
        np.testing.assert_allclose(maps, expected[name], atol=1e-3 * scale, err_msg=name)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", [name for name in METHODS if name not in methods()])
def test_attention_of_low_precision_is_explained_as_in_float32(name, dtype):
    variables = draw(model=Attending)
    maps, wanted = (attribute(name, Attending(kind), variables, IMAGES, 1, key=KEY) for kind in (dtype, None))
    assert maps.dtype == jnp.float32
    np.testing.assert_allclose(maps, wanted, atol=1e-3 * float(jnp.abs(wanted).max()))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=["bfloat16", "float16"])
def test_weights_and_images_of_low_precision_are_explained(dtype):
    rounded = jax.tree.map(lambda leaf: leaf.astype(dtype), (draw(), IMAGES))
    exact = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), rounded)
    chosen = methods() if dtype == jnp.bfloat16 else one_of_each()
    ours, theirs = (suite(chosen, Tiny(), *arrays, 1, key=KEY) for arrays in (rounded, exact))
    for name, maps in ours.items():
        assert maps.dtype == jnp.float32, name
        scale = float(jnp.abs(theirs[name]).max())
        np.testing.assert_allclose(maps, theirs[name], atol=0.02 * scale, err_msg=name)


@pytest.mark.parametrize("low", ["parameters", "images"])
def test_a_mix_of_types_is_explained(low, expected):
    variables = draw(jnp.bfloat16 if low == "parameters" else jnp.float32)
    images = IMAGES.astype(jnp.bfloat16) if low == "images" else IMAGES
    for name in ("gradient", "lrp", "eigen_cam", "layer_integrated_gradients"):
        maps = attribute(name, Tiny(), variables, images, 1)
        assert maps.dtype == jnp.float32
        np.testing.assert_allclose(maps, expected[name], atol=0.1 * float(jnp.abs(expected[name]).max()))


def test_relevance_is_conserved_where_the_model_rounds():
    variables = jax.tree.map(lambda leaf: leaf if leaf.ndim > 1 else 0 * leaf, draw())
    found = attribute("lrp_zero", Tiny(jnp.bfloat16), variables, IMAGES, 1)
    logits = probe.logits(Tiny(), variables, IMAGES)[:, 1]
    np.testing.assert_allclose(found.sum((1, 2)), logits, rtol=0.05, atol=0.02)


def test_offsets_of_float32_shift_a_layer_of_bfloat16():
    score = probe.score_of(Tiny(jnp.bfloat16), draw(), 1)
    shifted = score(IMAGES[0], {"logits": jnp.full(3, 0.5)})[0]
    assert shifted.dtype == jnp.bfloat16
    np.testing.assert_allclose(float(shifted - score(IMAGES[0], {})[0]), 0.5, atol=0.01)


def test_a_function_in_float32_keeps_its_value_and_its_derivative():
    def function(x):
        low = x.astype(jnp.bfloat16)
        return nn.relu(low @ jnp.ones((4, 2), jnp.bfloat16)).sum() + jnp.sin(x).sum()

    x = jnp.array([[0.1, -0.2, 0.3, 0.123456]])
    exact = lambda x: nn.relu(x @ jnp.ones((4, 2))).sum() + jnp.sin(x).sum()
    assert in_float32(function)(x).dtype == jnp.float32
    np.testing.assert_allclose(in_float32(function)(x), exact(x), rtol=2e-3)
    np.testing.assert_allclose(jax.grad(in_float32(function))(x), jax.grad(exact)(x), rtol=1e-2)


@pytest.mark.slow
def test_float64_stays_float64_and_float32_float32(expected):
    with jax.enable_x64(True):
        for dtype in (jnp.float64, jnp.float32):
            images = jnp.asarray(np.asarray(IMAGES), dtype)
            for name, maps in suite(one_of_each(), Tiny(), draw(dtype), images, 1, key=KEY).items():
                assert maps.dtype == dtype, name
                if name not in ("smooth_grad", "square_grad", "var_grad", "expected_gradients"):  # other draws
                    scale = float(np.abs(expected[name]).max())
                    np.testing.assert_allclose(maps, expected[name], atol=1e-3 * scale, err_msg=name)
