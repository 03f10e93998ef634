"""DeepLIFT: completeness, the paper's example, and reveal-cancel against the formulas on dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import attribute, build
from cnnviz.attribution.shapes import evaluate
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN

KEY = jax.random.key(0)
RULES = ["rescale", "reveal_cancel"]


def values(score, image, **options):
    return jax.jit(lambda image: evaluate(build("deep_lift", **options), score, image, KEY))(image)


def of_pixels(function):
    """A score of the image's pixels in a row."""
    return lambda image, offsets: (function(image.ravel()), {})


def row(*pixels):
    return jnp.array(pixels, jnp.float32).reshape(1, -1, 1)


@pytest.mark.parametrize("rule", RULES)
def test_the_values_sum_to_the_difference_from_the_baseline(rule, foreign, images):
    model, variables = foreign
    found = attribute(
        "deep_lift", model, variables, images, 1, rule=rule, baseline=np.asarray(images[::-1]), details=True
    )
    assert np.abs(found.maps).max() > 0.01
    np.testing.assert_allclose(found.gap, 0, atol=1e-5)


W = jax.random.normal(KEY, (3, 4))
JOINT = {
    "softmax": lambda x: jax.nn.softmax(W @ x)[1],
    "attention": lambda x: (jax.nn.softmax(jnp.outer(x, W @ x)) @ (W @ x)).sum(),
    "layer norm": lambda x: ((x - x.mean()) * jax.lax.rsqrt(x.var() + 1)) @ W[0],
    "maximum of two": lambda x: jnp.maximum(W @ x, -2 * W[::-1] @ x).sum(),
    "minimum of two": lambda x: jnp.minimum(W @ x, W[::-1] @ x).sum(),
    "global maximum": lambda x: (W * x[None]).max(-1).sum(),
    "global minimum": lambda x: (W * x[None]).min(-1).sum(),
    "gate": lambda x: ((W @ x) * jax.nn.sigmoid(W[::-1] @ x)).sum(),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", JOINT)
def test_completeness_holds_through_what_joins_values(name, rule):
    score, image, baseline = of_pixels(JOINT[name]), row(1.0, -0.5, 0.3, 2.0), row(0.2, 0.6, -1.0, 0.1)
    found = values(score, image, rule=rule, baseline=baseline)
    assert np.isclose(found.sum(), score(image, {})[0] - score(baseline, {})[0], rtol=1e-3, atol=1e-5)
    assert np.abs(found).max() > 0.01


def test_rescale_is_the_quotient_of_differences():
    # y = relu(2 a - b - 1): from 0 at (0, 0) to 2 at (2, 1), its input from -1 to 2, so m = 2 / 3
    found = values(of_pixels(lambda x: jax.nn.relu(2 * x[:1] - x[1:] - 1).sum()), row(2.0, 1.0))
    np.testing.assert_allclose(found.ravel(), [8 / 3, -2 / 3], rtol=1e-6)


@pytest.mark.parametrize(("rule", "due"), [("rescale", [0.0, 1.0]), ("reveal_cancel", [0.5, 0.5])])
def test_reveal_cancel_sees_both_sides_of_a_minimum(rule, due):
    """The paper's figure 2: min(a, b) = a - relu(a - b), at a = 2 and b = 1, of which either alone gives 0."""
    w = jnp.array([[1.0], [-1.0]])
    minimum = lambda x: x[0] - jax.nn.relu(x[None] @ w)[0, 0]
    np.testing.assert_allclose(values(of_pixels(minimum), row(2.0, 1.0), rule=rule).ravel(), due, atol=1e-6)


def test_reveal_cancel_is_its_formulas_on_dense_matrices():
    """Two layers of tanh, by equations 7, 8 and 12 in NumPy."""
    w1, w2, v = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate([(4, 5), (5, 3), (3,)]))
    x, x0 = np.array([1.0, -0.5, 0.0, 2.0]), np.array([0.2, 0.6, 0.0, 0.1])
    score = of_pixels(lambda x: jnp.tanh(jnp.tanh(x[None] @ w1 + 0.1) @ w2)[0] @ v)
    found = values(score, row(*x), rule="reveal_cancel", baseline=row(*x0))
    w1, w2, v = (np.asarray(w, np.float64) for w in (w1, w2, v))

    def layer(w, b, x, x0):
        """What comes in, up and down, and what tanh makes of each."""
        parts = (x - x0)[:, None] * w
        up, down = np.maximum(parts, 0).sum(0), np.minimum(parts, 0).sum(0)
        z0 = x0 @ w + b
        f = np.tanh
        above = (f(z0 + up) - f(z0) + f(z0 + up + down) - f(z0 + down)) / 2
        below = (f(z0 + down) - f(z0) + f(z0 + up + down) - f(z0 + up)) / 2
        ratio = lambda of, to: np.divide(of, to, out=np.zeros_like(of), where=to != 0)  # no part, no multiplier
        return ratio(above, up), ratio(below, down), f(x @ w + b), f(z0)

    def back(w, x, x0, m_up, m_down):
        rising = (x - x0)[:, None] * w
        chosen = np.where(rising > 0, m_up, np.where(rising < 0, m_down, (m_up + m_down) / 2))
        return (w * chosen).sum(1)

    up1, down1, h, h0 = layer(w1, 0.1, x, x0)
    up2, down2, *_ = layer(w2, 0.0, h, h0)
    m_h = back(w2, h, h0, up2 * v, down2 * v)
    due = (x - x0) * back(w1, x, x0, up1 * m_h, down1 * m_h)
    np.testing.assert_allclose(found.ravel(), due, rtol=1e-4)


def test_deep_lift_shap_is_the_mean_over_baselines():
    images = jax.random.uniform(KEY, (3, 28, 28, 1))
    variables = jax.jit(CNN().init)(KEY, images)
    run = lambda method, **options: attribute(method, CNN(), variables, images, 4, **options)
    due = jnp.stack([run("deep_lift", baseline=np.asarray(b)) for b in images]).mean(0)
    np.testing.assert_allclose(run("deep_lift_shap", baseline=images), due, atol=1e-5)
    two = attribute("deep_lift_shap", CNN(), variables, images, 4, baseline=images, samples=2, details=True)
    np.testing.assert_allclose(two.gap, 0, atol=1e-5)


def test_more_samples_than_baselines_are_refused():
    images = jax.random.uniform(KEY, (2, 8, 8, 3))
    with pytest.raises(InputError, match="at most the number of images of the baseline, 2; it was 3"):
        evaluate(build("deep_lift_shap", baseline=images, samples=3), of_pixels(jnp.sum), images[0], KEY)


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(InputError, match="'rescal' is not a rule of deep_lift; did you mean 'rescale'"):
        build("deep_lift", rule="rescal")


def test_a_black_image_is_explained_by_zeros():
    variables = jax.jit(CNN().init)(KEY, jnp.zeros((1, 28, 28, 1)))
    score = probe.score_of(CNN(), variables, 1)
    np.testing.assert_array_equal(values(score, jnp.zeros((28, 28, 1))), 0)
