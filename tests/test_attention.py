"""Attention found in the graph: rollout and relevance in NumPy, tokens as maps, and every method on transformers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import METHODS, attribute, build, suite
from cnnviz.attribution.shapes import options_in
from cnnviz.attribution.tokens import as_map, token_grid
from cnnviz.errors import InputError
from cnnviz.registry import resolve

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)


class Hybrid(nn.Module):
    """A ViT on the map of a convolution, with a class token or the mean of the tokens."""

    has_class: bool = True

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Conv(8, (3, 3), strides=2, name="stem")(x)).reshape(len(x), -1, 8)
        if self.has_class:
            token = self.param("token", nn.initializers.normal(1), (1, 1, 8))
            x = jnp.concatenate([jnp.tile(token, (len(x), 1, 1)), x], 1)
        x = x + self.param("positions", nn.initializers.normal(1), (1, x.shape[1], 8))
        for i in range(2):
            y = nn.LayerNorm(name=f"norm{i}")(x)
            x = x + nn.MultiHeadDotProductAttention(num_heads=2, name=f"attention{i}")(y, y, sow_weights=True)
            x = x + nn.Dense(8, name=f"down{i}")(nn.gelu(nn.Dense(16, name=f"up{i}")(nn.LayerNorm()(x))))
        x = nn.LayerNorm(name="norm")(x)
        return nn.Dense(3, name="logits")(x[:, 0] if self.has_class else x.mean(1))


class Own(nn.Module):
    """Attention written by hand, its tokens before its heads, at the head of which is no softmax of Flax's."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (2, 2), strides=2, name="stem")(x).reshape(len(x), -1, 8)
        q, k, v = (nn.Dense(8, name=name)(x).reshape(len(x), -1, 2, 4) for name in "qkv")
        exp = jnp.exp(jnp.einsum("nqhd,nkhd->nqhk", q, k))
        x = x + jnp.einsum("nqhk,nkhd->nqhd", exp / exp.sum(-1, keepdims=True), v).reshape(x.shape)
        return nn.Dense(3, name="logits")(x.mean(1))


class ConvNeXt(nn.Module):
    """A stem and a block with LayerNorm."""

    @nn.compact
    def __call__(self, x):
        x = nn.LayerNorm()(nn.Conv(8, (2, 2), strides=2, name="stem")(x))
        y = nn.LayerNorm()(nn.Conv(8, (3, 3), feature_group_count=8, name="depthwise")(x))
        x = x + nn.Dense(8, name="down")(nn.gelu(nn.Dense(16, name="up")(y)))
        self.sow("intermediates", "sum", x)
        return nn.Dense(3, name="logits")(x.mean((1, 2)))


def drawn(model, seed=0):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(model.init, KEY, IMAGES)["params"]
    return {"params": jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.5, leaf.shape), jnp.float32), shapes)}


def weights_of(model, variables, images):
    """The attention weights that Flax's modules sow, by layer: [n heads t t]."""
    _, sown = model.apply(variables, images, mutable="intermediates")
    return [np.asarray(sown["intermediates"][f"attention{i}"]["attention_weights"][0], np.float64) for i in range(2)]


@pytest.mark.parametrize("has_class", [True, False])
def test_rollout_is_the_papers_product(has_class):
    model = Hybrid(has_class)
    variables = drawn(model)
    found = attribute("attention_rollout", model, variables, IMAGES, 1, upsampling=None)
    below, above = (w.mean(1) for w in weights_of(model, variables, IMAGES))
    eye = np.eye(16 + has_class)
    rolled = (above + eye) / 2 @ ((below + eye) / 2)
    np.testing.assert_allclose(rolled.sum(-1), 1, rtol=1e-5)
    due = rolled[:, 0, 1:] if has_class else rolled.mean(1)
    np.testing.assert_allclose(found, due.reshape(2, 4, 4), rtol=1e-4)


@pytest.mark.parametrize("has_class", [True, False])
def test_relevance_follows_what_raises_the_score(has_class, monkeypatch):
    """The gradients by another way: each layer's softmax is replaced by one whose output is moved."""
    model, real = Hybrid(has_class), jax.nn.softmax
    variables = drawn(model)
    found = attribute("attention_relevance", model, variables, IMAGES[:1], 1, upsampling=None)
    weights = weights_of(model, variables, IMAGES[:1])

    def moved(offsets):
        left = iter(offsets)
        monkeypatch.setattr(jax.nn, "softmax", lambda *args, **kwargs: real(*args, **kwargs) + next(left))
        return model.apply(variables, IMAGES[:1])[0, 1]

    slopes = jax.jit(jax.grad(moved))([jnp.zeros(w.shape) for w in weights])
    relevance = np.eye(16 + has_class)
    for of_layer, slope in zip(weights, slopes, strict=True):
        relevance = relevance + np.maximum(of_layer[0] * np.asarray(slope[0]), 0).mean(0) @ relevance
    relevance -= np.eye(16 + has_class)
    due = relevance[0, 1:] if has_class else relevance.mean(0)
    np.testing.assert_allclose(found[0].ravel(), due, atol=1e-4 * due.max())


def test_attention_is_found_however_it_is_written():
    variables = drawn(Own())
    found = attribute("attention_rollout", Own(), variables, IMAGES, 1, upsampling=None)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    patches = IMAGES.reshape(2, 4, 2, 4, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 16, 12)
    x = patches @ p["stem"]["kernel"].reshape(12, 8) + p["stem"]["bias"]
    q, k = ((x @ p[name]["kernel"] + p[name]["bias"]).reshape(2, 16, 2, 4) for name in "qk")
    exp = np.exp(np.einsum("nqhd,nkhd->nhqk", q, k))
    due = (exp / exp.sum(-1, keepdims=True)).mean(1) / 2 + np.eye(16) / 2
    np.testing.assert_allclose(found, due.mean(1).reshape(2, 4, 4), rtol=1e-4)


@pytest.mark.parametrize("name", ["attention_rollout", "attention_relevance"])
def test_a_network_without_attention_is_refused(name):
    with pytest.raises(InputError, match="through layers of self-attention .* this network has none"):
        attribute(name, ConvNeXt(), drawn(ConvNeXt()), IMAGES, 1)


@pytest.mark.parametrize(
    ("count", "shape", "due"),
    [(16, (8, 8), (4, 4)), (17, (8, 8), (4, 4)), (197, (224, 224), (14, 14)), (10, (8, 8), (3, 3)),
     (8, (8, 16), (2, 4)), (9, (8, 16), (2, 4)), (3, (8, 8), (1, 2)), (1, (8, 8), None)],
)  # fmt: skip
def test_tokens_are_a_grid_of_the_images_shape(count, shape, due):
    assert token_grid(count, (*shape, 3)) == due


def test_a_map_of_tokens_leaves_out_the_class_token():
    tokens = jnp.arange(34.0).reshape(17, 2)
    np.testing.assert_array_equal(as_map(tokens, (8, 8, 3)), tokens[1:].reshape(4, 4, 2))
    with pytest.raises(InputError, match="1 tokens do not form a grid in an image of 8x8 pixels"):
        as_map(tokens[:1], (8, 8, 3))


def test_grad_cam_of_tokens_is_its_formula():
    model = Hybrid()
    variables = drawn(model)
    found = attribute("grad_cam", model, variables, IMAGES, 1, layers="norm1", upsampling=None, relu=False)
    assert found.shape == (2, 4, 4)
    for name in ("hires_cam", "score_cam", "ablation_cam", "eigen_cam", "grad_cam_pp"):
        maps = attribute(name, model, variables, IMAGES, 1, layers="norm1")
        assert maps.shape == (2, 8, 8)
        assert np.isfinite(maps).all()
    tokens = attribute("layer_gradient_x_activation", model, variables, IMAGES, 1, layers="norm1", details=True)
    hires = attribute("hires_cam", model, variables, IMAGES, 1, layers="norm1", upsampling=None, relu=False)
    raw = np.asarray(tokens.layers["norm1"])
    np.testing.assert_allclose(hires.reshape(2, 16), raw.sum(-1)[:, 1:], rtol=1e-4, atol=1e-6)


FEW = {"samples": 2, "steps": 2, "relu": False}  # a map may be negative everywhere
NEEDS_ATTENTION = {"attention_rollout", "attention_relevance"}


def quick(name):
    """The method with few samples and steps, and its negative values."""
    known = options_in(resolve(METHODS, name, "method"))
    return build(name, **{option: value for option, value in FEW.items() if option in known})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hybrid", "convnext"])
@pytest.mark.slow
def test_every_method_explains_a_transformer_and_a_convnext(kind):
    model = Hybrid(has_class=False) if kind == "hybrid" else ConvNeXt()
    methods = {name: quick(name) for name in METHODS if kind == "hybrid" or name not in NEEDS_ATTENTION}
    methods["cam"] = build("cam", layers="norm" if kind == "hybrid" else "sum")
    for name, maps in suite(methods, model, drawn(model), IMAGES, [0, 2], key=KEY).items():
        assert maps.shape == (2, 8, 8), name
        assert np.isfinite(maps).all(), name
        assert np.abs(maps).max() > 0, name


def test_cam_refuses_a_class_token():
    with pytest.raises(InputError, match="cam needs a network that goes from 'norm' through the mean over places"):
        attribute("cam", Hybrid(), drawn(Hybrid()), IMAGES, 1, layers="norm")
