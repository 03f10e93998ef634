"""Attacks: linear networks, whose smallest changes are known, and what every attack must keep to."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.errors import InputError
from cnnviz.metrics.attacks.run import attacked

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.uniform(0.3, 0.7, (4, 5, 5, 1)), jnp.float32)
KEY = jax.random.key(0)


class Linear(nn.Module):
    """Two logits, of which the difference is linear."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="logits")(x.reshape(len(x), -1))


MODEL = Linear()
VARIABLES = jax.jit(MODEL.init)(KEY, IMAGES)
LOGITS = np.asarray(MODEL.apply(VARIABLES, IMAGES))
LABELS = LOGITS.argmax(-1)
KERNEL = np.asarray(VARIABLES["params"]["logits"]["kernel"])
NORMAL = KERNEL[:, 1] - KERNEL[:, 0]


def run(attack, epsilon=None, **options):
    return np.asarray(attacked(attack, MODEL, VARIABLES, IMAGES, LABELS, epsilon, key=KEY, **options))


def said(images):
    return np.asarray(MODEL.apply(VARIABLES, images)).argmax(-1)


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_the_minimal_change_of_a_linear_network_is_its_distance_to_the_boundary(norm, dual):
    wide = {"low": -10.0, "high": 10.0}
    found = run("minimal", norm=norm, **wide)
    assert (said(found) != LABELS).all()
    change = (found - np.asarray(IMAGES)).reshape(4, -1)
    length = np.linalg.norm(change, ord=np.inf if norm == "linf" else 2, axis=1)
    expected = abs(LOGITS[:, 1] - LOGITS[:, 0]) / np.linalg.norm(NORMAL, ord=dual)
    np.testing.assert_allclose(length, expected, rtol=0.03)
    assert (length >= expected * 0.999).all()


def test_the_fast_gradient_sign_is_that_of_a_linear_network():
    found = run("fgsm", 0.05)
    toward = np.where(LABELS == 0, 1, -1)[:, None] * np.sign(NORMAL)
    np.testing.assert_allclose(found.reshape(4, -1), np.asarray(IMAGES).reshape(4, -1) + 0.05 * toward, atol=1e-6)
    change = (run("fgsm", 0.05, norm="l2") - np.asarray(IMAGES)).reshape(4, -1)
    np.testing.assert_allclose(np.linalg.norm(change, axis=1), 0.05, rtol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projected_descent_stays_close_and_within_range_and_is_at_least_as_strong_as_one_step(norm):
    margin = lambda images: np.where(LABELS == 1, 1, -1) * (np.asarray(MODEL.apply(VARIABLES, images)) @ [-1, 1])
    epsilons = np.array([0.0, 0.05, 0.1, 0.6], np.float32)
    found = run("pgd", epsilons, norm=norm)
    change = (found - np.asarray(IMAGES)).reshape(4, -1)
    length = np.linalg.norm(change, ord=np.inf if norm == "linf" else 2, axis=1)
    assert (length <= epsilons + 1e-5).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (
        margin(found) <= margin(run("fgsm", epsilons, norm=norm)) + (0.03 if norm == "l2" else 1e-3)
    ).all()  # one step is the best
    np.testing.assert_array_equal(run("pgd", epsilons, norm=norm, batch_size=2), found)


@pytest.mark.parametrize(
    ("attack", "epsilon", "options", "text"),
    [
        ("fgsm", None, {}, "epsilon is the largest change"),
        ("fgsm", -0.1, {}, "not negative"),
        ("minimal", 0.1, {}, "takes no epsilon"),
        ("pgd", 0.1, {"steps": 0}, "at least one step"),
        ("pgd", 0.1, {"norm": "l3"}, "'l3' is not a norm"),
        ("pdg", 0.1, {}, "'pdg' is not an attack; did you mean 'pgd'"),
    ],
)
def test_what_an_attack_cannot_do_is_said(attack, epsilon, options, text):
    with pytest.raises(InputError, match=text):
        run(attack, epsilon, **options)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_values_at_the_ends_of_their_range_do_not_hold_the_minimal_change_back(norm):
    """Half the values cannot go where the boundary is: the others must, by the smallest change that these allow."""
    images = jnp.where(jnp.arange(25).reshape(1, 5, 5, 1) % 2 == 0, 0.0, 0.5)
    logits = np.asarray(MODEL.apply(VARIABLES, images))[0]
    first = int(logits.argmax())
    toward = (NORMAL if first == 0 else -NORMAL).reshape(5, 5, 1)
    free = (toward > 0) | (np.asarray(images[0]) > 0)
    dual = abs(toward[free]).sum() if norm == "linf" else np.linalg.norm(toward[free])
    found = np.asarray(attacked("minimal", MODEL, VARIABLES, images, [first], norm=norm, key=KEY))
    change = np.ravel(found - images)
    length = abs(change).max() if norm == "linf" else np.linalg.norm(change)
    assert said(found)[0] != first
    assert length == pytest.approx(abs(logits[1] - logits[0]) / dual, rel=0.03)
