"""Every rule against the same rule on dense Jacobians of random small networks, in NumPy: no graph, no transpose."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cnnviz.attribution import build
from cnnviz.attribution.shapes import evaluate
from cnnviz.propagation import lrp
from cnnviz.propagation.composites import first, layer

pytestmark = pytest.mark.slow

SHAPE = (5, 4, 2)
BATCH = np.zeros((1, *SHAPE))
ACTIVATIONS = [jax.nn.relu, jax.nn.leaky_relu, jnp.tanh, lambda x: jnp.where(x > 0, x, 0)]


# Networks: one operation after the other


class Operation(NamedTuple):
    kind: str  # layer, activation, maximum, mean or residual
    function: Callable  # of a batch of one image, or of one row of features
    ones: Callable | None = None  # a layer's with all weights 1 and no bias


def convolution(rng, shape, options, *, batch_norm):
    features = 4 if shape == BATCH.shape else shape[-1]
    kernel = rng.normal(size=(2, 2, shape[-1] // options["feature_group_count"], features))
    bias, scale, shift = rng.normal(size=(3, 1, 1, 1, features))
    linear = partial(jax.lax.conv_general_dilated, **options, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    scaled = lambda y: (y - shift) * scale + bias if batch_norm else y + bias
    return Operation("layer", lambda x: scaled(linear(x, kernel)), lambda x: linear(x, np.ones_like(kernel)))


def dense(rng, size, features):
    kernel, bias = rng.normal(size=(size, features)) / np.sqrt(size), rng.normal(size=(1, features))
    return Operation(
        "layer", lambda x: x.reshape(1, -1) @ kernel + bias, lambda x: x.reshape(1, -1) @ np.ones_like(kernel)
    )


def pooled(x, start, join):
    return jax.lax.reduce_window(x, start, join, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


MIDDLE = {
    "nothing": lambda rng, shape: [],
    "maximum": lambda rng, shape: [Operation("maximum", lambda x: pooled(x, -np.inf, jax.lax.max))],
    "mean": lambda rng, shape: [Operation("mean", lambda x: pooled(x, 0.0, jax.lax.add) / 4)],
    "residual": lambda rng, shape: [convolution(rng, shape, SAME, batch_norm=True)._replace(kind="residual")],
    "another": lambda rng, shape: [convolution(rng, shape, SAME, batch_norm=False)],
}
SAME = {"window_strides": (1, 1), "padding": "SAME", "feature_group_count": 1}


@st.composite
def networks(draw):
    """A convolution, strided, dilated, transposed or in groups, what `MIDDLE` has, and two dense layers."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    options = {
        "window_strides": draw(st.sampled_from([(1, 1), (2, 1)])),
        "padding": draw(st.sampled_from([((0, 0), (0, 0)), ((1, 1), (0, 2))])),
        "lhs_dilation": draw(st.sampled_from([(1, 1), (2, 2)])),
        "rhs_dilation": draw(st.sampled_from([(1, 1), (1, 2)])),
        "feature_group_count": draw(st.sampled_from([1, 2])),
    }
    activation = Operation("activation", draw(st.sampled_from(ACTIVATIONS)))
    found = [convolution(rng, BATCH.shape, options, batch_norm=draw(st.booleans())), activation]
    found += MIDDLE[draw(st.sampled_from([*MIDDLE]))](rng, jax.eval_shape(composed(found), BATCH).shape)
    size = jax.eval_shape(composed(found), BATCH).size
    image, baseline = rng.normal(size=(2, *SHAPE))
    if draw(st.booleans()):
        image = np.abs(image)
    return [*found, dense(rng, size, 4), activation, dense(rng, 4, 1)], image, baseline


def composed(network):
    def function(x):
        for kind, apply, _ in network:
            x = x + apply(x) if kind == "residual" else apply(x)
        return x

    return function


# The same, as dense matrices


class Seen(NamedTuple):
    """One operation at its input, all as rows: a residual's are those of its layer."""

    kind: str
    x: np.ndarray
    z: np.ndarray
    b: np.ndarray
    w: np.ndarray  # the Jacobian, [out, in]
    ones: np.ndarray | None
    is_first: bool


def seen(network, image):
    found, x = [], jnp.asarray(image)[None]
    for place, (kind, function, ones) in enumerate(network):
        y, b = function(x), function(jnp.zeros_like(x))
        matrix = lambda of, x=x, y=y: np.asarray(jax.jacobian(of)(x)).reshape(y.size, x.size)
        found.append(Seen(kind, *map(np.ravel, (x, y, b)), matrix(function), ones and matrix(ones), place == 0))
        x = x + y if kind == "residual" else y
    return found


def handed_down(operations, rules, r):
    for operation in reversed(operations):
        r = rules[operation.kind](operation, r)
    return r.reshape(SHAPE)


# The formulas of the papers for an operation `o` and the relevance `r` of its output


def stable(z, epsilon=1e-6):
    return z + np.where(z >= 0, epsilon, -epsilon)


def plus(a):
    return np.maximum(a, 0)


def minus(a):
    return np.minimum(a, 0)


def epsilon(o, r, epsilon=1e-6):
    return o.x * (o.w.T @ (r / stable(o.z, epsilon)))


def alpha_beta(o, r, alpha=2, beta=1):
    parts = o.w * o.x
    above, below = plus(parts), minus(parts)
    total = alpha * above / stable(above.sum(1) + plus(o.b))[:, None]
    if beta:
        total = total - beta * below / stable(below.sum(1) + minus(o.b))[:, None]
    return (total * r[:, None]).sum(0)


def gamma(o, r):
    parts = o.w * o.x
    found = np.zeros_like(parts)
    for sign, of in ((1, plus), (-1, minus)):
        favored = parts + 0.25 * of(parts)
        total = stable(favored.sum(1) + o.b + 0.25 * of(o.b))
        found += np.where(sign * o.z > 0, r / total, 0)[:, None] * favored
    return found.sum(0)


def box(o, r):
    parts = o.w * o.x - plus(o.w) * -1.0 - minus(o.w) * 2.0
    return (parts * (r / stable(parts.sum(1)))[:, None]).sum(0)


def w_square(o, r):
    return (o.w**2 * (r / stable((o.w**2).sum(1) + o.b**2))[:, None]).sum(0)


def flat(o, r):
    return o.ones.T @ (r / stable(o.ones.sum(1)))


def transposed(o, r):
    return o.w.T @ r


z_plus = partial(alpha_beta, alpha=1, beta=0)
FORMULAS = {
    lrp.Epsilon(0.1): partial(epsilon, epsilon=0.1),
    lrp.AlphaBeta(2, 1): alpha_beta,
    lrp.ZPlus(): z_plus,
    lrp.Gamma(0.25): gamma,
    lrp.ZBox(-1.0, 2.0): box,
    lrp.WSquare(): w_square,
    lrp.Flat(): flat,
}


def by_contribution(x, z):
    """Shares of a sum of two, in proportion."""
    return x / stable(x + z), z / stable(x + z)


def by_sign(x, z):
    """Shares of a sum of two, of which only those of the sum's sign have any."""
    x, z = (np.where(x + z >= 0, plus(part), minus(part)) for part in (x, z))
    return x / stable(x + z), z / stable(x + z)


def relevance(rule, of_first=None, shares=by_contribution):
    """The rules of LRP with this one in every layer, but for the first where that has its own."""

    def residual(o, r):
        skip, branch = shares(o.x, o.z)
        return skip * r + rule(o, branch * r)

    def mean(o, r):
        parts = 4 * o.w * o.x
        if shares is by_sign:
            parts = np.where((o.z >= 0)[:, None], plus(parts), minus(parts))
        return (parts * (r / stable(parts.sum(1)))[:, None]).sum(0)

    return {
        "layer": lambda o, r: (of_first or rule)(o, r) if o.is_first else rule(o, r),
        "activation": lambda o, r: r,
        "maximum": transposed,
        "mean": mean,
        "residual": residual,
    }


def gradient(activation):
    straight = dict.fromkeys(("layer", "maximum", "mean"), transposed)
    return straight | {"residual": lambda o, r: r + transposed(o, r), "activation": activation}


def differences(operations, before):
    """The rules of DeepLIFT, from the operations `before` at the baseline."""
    old = {id(o): other for o, other in zip(operations, before, strict=True)}

    def quotient(o, r, contributed):
        apart = o.x - old[id(o)].x
        same = np.abs(apart) < 1e-10
        return np.where(same, transposed(o, r), contributed / np.where(same, 1, apart))

    def activation(o, r):
        return quotient(o, r, r * (o.z - old[id(o)].z))

    def maximum(o, r):
        then = old[id(o)]
        most = np.maximum(o.z, then.z)
        return quotient(o, r, transposed(o, r * (most - then.z)) + transposed(then, r * (o.z - most)))

    return gradient(activation) | {"maximum": maximum}


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with jax.enable_x64(True):
        yield


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(networks())
@pytest.mark.slow
def test_rules_are_their_formulas_on_dense_jacobians(drawn):
    network, image, baseline = drawn
    score = lambda x, offsets: (composed(network)(x[None])[0, 0], {})
    operations = seen(network, image)
    one, z = np.ones(1), operations[-1].z

    def check(due, name, **options):
        found = np.asarray(evaluate(build(name, **options), score, jnp.asarray(image), jax.random.key(0)))
        np.testing.assert_allclose(found, due, atol=1e-7 * np.abs(due).max(), err_msg=f"{name} {options}")

    for rule, formula in FORMULAS.items():
        check(
            handed_down(operations, relevance(z_plus, formula), z),
            "lrp",
            composite=[(first, rule), (layer, lrp.ZPlus())],
        )
        if formula is not box:
            check(handed_down(operations, relevance(formula), z), "lrp", composite=[(layer, rule)])
    check(handed_down(operations, relevance(z_plus, shares=by_sign), one), "excitation_backprop")
    check(handed_down(operations, gradient(lambda o, r: transposed(o, plus(r))), one), "guided_backprop")
    check(handed_down(operations, gradient(lambda o, r: plus(r)), one), "deconvnet")
    due = handed_down(operations, differences(operations, seen(network, baseline)), one)
    check((image - baseline) * due, "deep_lift", baseline=baseline)
