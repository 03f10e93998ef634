"""LRP through normalization, gates and attention: relevance is conserved, and AttnLRP is its propositions in NumPy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import build
from cnnviz.attribution.shapes import evaluate
from cnnviz.propagation.composites import COMPOSITES, layer, linear, normalization, product, softmax
from cnnviz.propagation.lrp import Epsilon
from cnnviz.propagation.products import Constant, Identity, SignalTakesAll, Taylor, Uniform

KEY = jax.random.key(0)
bare = {"use_bias": False}


class ConvNeXt(nn.Module):
    """A stem and two blocks: depthwise convolution, LayerNorm, two dense layers with GELU, a scaled residual sum."""

    @nn.compact
    def __call__(self, x):
        x = nn.LayerNorm(**bare)(nn.Conv(8, (2, 2), strides=2, **bare)(x))
        for i in range(2):
            y = nn.LayerNorm(**bare)(nn.Conv(8, (3, 3), feature_group_count=8, **bare)(x))
            y = nn.Dense(8, **bare)(nn.gelu(nn.Dense(16, **bare)(y)))
            x = x + y * self.param(f"scale{i}", nn.initializers.constant(0.5), (1, 1, 1, 8))
        return nn.Dense(3, **bare)(nn.LayerNorm(**bare)(x.mean((1, 2))))


class ResNet(nn.Module):
    """A residual block with GroupNorm."""

    @nn.compact
    def __call__(self, x):
        norm = lambda x: nn.GroupNorm(2, **bare)(x)
        x = nn.relu(norm(nn.Conv(8, (3, 3), **bare)(x)))
        y = norm(nn.Conv(8, (3, 3), **bare)(nn.relu(norm(nn.Conv(8, (3, 3), **bare)(x)))))
        return nn.Dense(3, **bare)(nn.relu(x + y).mean((1, 2)))


class Gated(nn.Module):
    """Squeeze and excitation, a gated linear unit, and normalization by a norm and by neighboring channels."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), **bare)(x))
        x = x * nn.sigmoid(nn.Dense(8, **bare)(nn.relu(nn.Dense(4, **bare)(x.mean((1, 2))))))[:, None, None]
        x = nn.glu(nn.Conv(16, (3, 3), **bare)(x / jnp.linalg.norm(x + 1e-3, axis=-1, keepdims=True)), -1)
        x = x / (1 + jnp.square(x).sum(-1, keepdims=True)) ** 0.75
        g = jnp.sqrt(jnp.square(x).sum((1, 2), keepdims=True))
        return nn.Dense(3, **bare)((x + x * (g / (g.mean(-1, keepdims=True) + 1e-6))).mean((1, 2)))


class Hybrid(nn.Module):
    """A convolution, tokens of its map, two layers of attention, and the mean of the tokens."""

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Conv(8, (3, 3), strides=2, **bare)(x)).reshape(len(x), -1, 8)
        for _ in range(2):
            y = nn.LayerNorm(**bare)(x)
            x = x + nn.MultiHeadDotProductAttention(num_heads=2, **bare)(y, y)
            x = x + nn.Dense(8, **bare)(nn.gelu(nn.Dense(16, **bare)(nn.RMSNorm()(x))))
        return nn.Dense(3, **bare)(nn.LayerNorm(**bare)(x).mean(1))


NETWORKS = {"convnext": ConvNeXt(), "group norm": ResNet(), "gates": Gated(), "hybrid": Hybrid()}


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def scored(model, seed=0):
    rng = np.random.default_rng(seed)
    image = jnp.asarray(rng.uniform(size=(8, 8, 3)))
    shapes = jax.eval_shape(model.init, KEY, image[None])
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0.1, 0.5, leaf.shape)), shapes)
    return (lambda image, _: (model.apply(variables, image[None])[0, 1], {})), image


def relevance(score, image, **options):
    return np.asarray(jax.jit(lambda image: evaluate(build("lrp", **options), score, image, KEY))(image))


CONSERVING = {
    "the default": "epsilon_plus",
    "zero": "zero",
    "epsilon": "epsilon",
    "uniform": [(product, Uniform()), (layer, Epsilon())],
    "signal takes all": [(product, SignalTakesAll()), (layer, Epsilon())],
}


@pytest.mark.parametrize("composite", CONSERVING)
@pytest.mark.parametrize("name", NETWORKS)
def test_without_biases_the_sum_is_the_score(name, composite):
    score, image = scored(NETWORKS[name])
    found = relevance(score, image, composite=CONSERVING[composite])
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(float(score(image, {})[0]), rel=1e-3)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_composite_explains_every_network(name, composite):
    found = relevance(*scored(NETWORKS[name]), composite=composite)
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0


def test_a_gate_gets_nothing_if_the_signal_takes_all():
    score = lambda image, _: ((image[..., :1] * jax.nn.sigmoid(image[..., 1:])).sum(), {})
    image = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2)))
    product_of = np.asarray(image[..., 0] * jax.nn.sigmoid(image[..., 1]))
    taken = relevance(score, image, composite=[(layer, Epsilon()), (product, SignalTakesAll())])
    np.testing.assert_allclose(taken, np.stack([product_of, 0 * product_of], -1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        relevance(score, image), np.stack([product_of, product_of], -1) / 2, rtol=1e-4, atol=1e-5
    )


# AttnLRP, by the propositions alone


TINY = 1e-12  # where a denominator is moved from zero by more, it matters which of two factors goes first
EXACT = {
    True: [(product, Uniform(TINY)), (softmax, Taylor()), (normalization, Identity()), (linear, Epsilon(TINY))],
    False: [(product, Constant(TINY)), (linear, Epsilon(TINY))],
}


def stable(z, epsilon=TINY):
    return z + np.where(z < 0, -epsilon, epsilon)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


class Block:
    """Attention of one head and two dense layers, each after a LayerNorm and added to what it reads."""

    def __init__(self, rng, tokens=4, width=6):
        draw = lambda *shape: rng.normal(size=shape) / np.sqrt(shape[0])
        self.q, self.k, self.v, self.o = (draw(width, width) for _ in range(4))
        self.up, self.down, self.head = draw(width, 9), draw(9, width), draw(width, 1)
        self.bias, self.gain, self.shift = draw(1, 9), 1 + draw(1, width) / 3, draw(1, width)

    def norm(self, x, np=np):
        apart = x - x.mean(-1, keepdims=True)
        return apart / np.sqrt((apart**2).mean(-1, keepdims=True) + 1e-5) * self.gain + self.shift

    def score(self, x):
        """The score of tokens, in JAX."""
        y = self.norm(x, jnp)
        weights = jax.nn.softmax((y @ self.q / jnp.sqrt(6.0)) @ (y @ self.k).T)
        x = x + weights @ (y @ self.v) @ self.o
        x = x + jax.nn.gelu(self.norm(x, jnp) @ self.up + self.bias) @ self.down
        return (x.mean(0, keepdims=True) @ self.head)[0, 0]

    def relevance(self, x, shared):
        """The tokens' relevance; with `shared` by AttnLRP, otherwise with normalizers and weights constant."""
        y = self.norm(x)
        q, k, v = y @ self.q / np.sqrt(6), y @ self.k, y @ self.v
        z = q @ k.T
        s = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
        a = s @ v
        x1 = x + a @ self.o
        y1 = self.norm(x1)
        h = y1 @ self.up + self.bias
        x2 = x1 + gelu(h) @ self.down
        linear = lambda x, w, z, r: x * (r / stable(z) @ w.T)
        norm = (lambda x, r: r) if shared else self.through_norm
        total = x2.sum(0, keepdims=True)
        score = total / len(x) @ self.head
        r = x2 * linear(total / len(x), self.head, score, score) / stable(total)
        r, branch = (part / stable(x2) * r for part in (x1, gelu(h) @ self.down))
        r_h = linear(gelu(h), self.down, gelu(h) @ self.down, branch)
        r = r + norm(x1, linear(y1, self.up, h, r_h))
        r, branch = (part / stable(x1) * r for part in (x, a @ self.o))
        r_a = linear(a, self.o, a @ self.o, branch)
        halves = 2 if shared else 1
        r_v = v * (s.T @ (r_a / stable(a))) / halves
        r_y = linear(y, self.v, v, r_v)
        if shared:
            r_s = s * (r_a / stable(a) @ v.T) / 2
            r_z = z * (r_s - s * r_s.sum(-1, keepdims=True))
            r_q, r_k = q * (r_z / stable(z) @ k) / 2, k * ((r_z / stable(z)).T @ q) / 2
            r_y = r_y + linear(y, self.q, y @ self.q, r_q) + linear(y, self.k, k, r_k)
        return r + norm(x, r_y)

    def through_norm(self, x, r):
        """LRP-epsilon through x - mean(x), its bias taking a share."""
        apart = x - x.mean(-1, keepdims=True)
        scaled = apart / np.sqrt((apart**2).mean(-1, keepdims=True) + 1e-5) * self.gain
        share = r * scaled / stable(scaled + self.shift) / stable(apart)
        return x * share - x * share.sum(-1, keepdims=True) / x.shape[-1]


@pytest.mark.parametrize("shared", [True, False])
def test_a_block_of_attention_is_explained_as_by_the_papers(shared):
    block = Block(np.random.default_rng(3))
    tokens = np.random.default_rng(4).normal(size=(4, 6))
    due = block.relevance(tokens, shared)
    score = lambda image, _: (block.score(image.reshape(4, 6)), {})
    assert float(score(jnp.asarray(tokens.reshape(2, 2, 6)), {})[0]) != 0
    for composite, tolerance in ((EXACT[shared], 1e-8), ("attn_lrp" if shared else "epsilon_plus", 1e-4)):
        found = relevance(score, jnp.asarray(tokens.reshape(2, 2, 6)), composite=composite)
        np.testing.assert_allclose(found.reshape(4, 6), due, atol=tolerance * np.abs(due).max())


def test_a_masked_token_gets_nothing_by_attn_lrp():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(3, 3))
    mask = np.array([[True, True, True, False]])

    def score(image, _):
        x = image.reshape(4, 3)
        weights = jax.nn.softmax(jnp.where(mask, x @ w @ x.T, -jnp.inf))
        return (weights @ x)[:3].sum(), {}

    found = relevance(score, jnp.asarray(rng.normal(size=(2, 2, 3))), composite="attn_lrp").reshape(4, 3)
    assert np.isfinite(found).all()
    assert not found[3].any()


SPECTRAL = {
    "real part": lambda x, w: jnp.fft.fft(x, axis=1).real,
    "filter": lambda x, w: jnp.fft.irfft2(jnp.fft.rfft2(x[..., 0]) * w, s=(4, 4))[..., None],
    "square of the amplitude": lambda x, w: jnp.square(jnp.abs(jnp.fft.fft2(x[..., 0])))[..., None],
}


@pytest.mark.parametrize("name", SPECTRAL)
def test_relevance_and_differences_go_through_a_fourier_transform(name):
    rng = np.random.default_rng(0)
    w, head = rng.normal(size=(1, 4, 3)) + 1j * rng.normal(size=(1, 4, 3)), rng.normal(size=16)
    score = lambda image, _: ((SPECTRAL[name](image[None], w).reshape(1, -1) @ head[:, None])[0, 0], {})
    image, other = rng.uniform(size=(2, 4, 4, 1))
    value = float(score(image, {})[0])
    found = relevance(score, jnp.asarray(image), composite="epsilon")
    assert found.dtype == np.float64
    assert found.sum() == pytest.approx(value, rel=1e-4)
    for rule in ("rescale", "reveal_cancel"):
        of = evaluate(build("deep_lift", rule=rule, baseline=other), score, jnp.asarray(image), KEY)
        assert float(of.sum()) == pytest.approx(value - float(score(other, {})[0]), rel=1e-6)
