"""Each method's formula by hand, its law, and float64 NumPy's gradients of a network."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import METHODS, build
from cnnviz.attribution.infills import blurred
from cnnviz.attribution.methods.eigen_cam import principal
from cnnviz.attribution.methods.grad_cam_pp_equations import eq19, of_exp, torchcam, weighed, xplique
from cnnviz.attribution.methods.grad_cam_pp_nested import NestedGradCAMPP, nested
from cnnviz.attribution.present import fused, scaled, upsampled
from cnnviz.attribution.quadrature import QUADRATURES, quadrature
from cnnviz.attribution.shapes import evaluate
from cnnviz.errors import InputError
from cnnviz.types import LOGITS

KEY = jax.random.key(3)

# A layer of two places (1 x 2) and two channels, and the score's weights on it: all maps below are from these.
A = jnp.array([[[1.0, 4.0], [3.0, 2.0]]])
G = jnp.array([[[2.0, -1.0], [0.5, 3.0]]])
IMAGE = jnp.array([[[1.0], [2.0]]])


def at(function):
    """A score of the layer "a", which is A whatever the image, plus the image's own sum of squares."""

    def score(image, offsets):
        a = A * image.sum() / 3.0 + offsets.get("a", 0.0)
        return function(a), {"a": a, LOGITS: jnp.stack([function(a), -function(a)])}

    return score


LINEAR = at(lambda a: (G * a).sum())
QUADRATIC = lambda image, offsets: ((image**2).sum() + offsets.get("x", 0.0), {})


def maps(name, score=LINEAR, image=IMAGE, **options):
    if name in METHODS and "layers" in getattr(build(name), "__dataclass_fields__", {}):
        options["layers"] = ("a",)
    return jax.jit(lambda x: evaluate(build(name, **options), score, x, KEY))(image)  # op by op takes far longer


def layer(name, score=LINEAR, **options):
    return np.asarray(maps(name, score, **options)["a"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # weights: channel means of G are 1.25 and 1
        ("grad_cam", [[1.25 * 1 + 1 * 4, 1.25 * 3 + 1 * 2]]),
        ("hires_cam", [[0.0, 0.5 * 3 + 3 * 2]]),  # 2 * 1 - 1 * 4 = -2 is cut off
        ("elementwise_cam", [[2.0, 1.5 + 6.0]]),
        ("layer_cam", [[2.0 * 1, 0.5 * 3 + 3 * 2]]),
        # weights: (2 * 1 + 0.5 * 3) / 4 = 0.875 and (-1 * 4 + 3 * 2) / 6 = 1/3
        ("xgrad_cam", [[0.875 + 4 / 3, 3 * 0.875 + 2 / 3]]),
        ("layer_gradient_x_activation", [[[2.0, -4.0], [1.5, 6.0]]]),
        # S = 2 - 4 + 1.5 + 6 = 5.5; without channel 0 it is 2, without channel 1 it is 3.5
        ("ablation_cam", [[3.5 / 5.5 + 4 * 2 / 5.5, 3 * 3.5 / 5.5 + 2 * 2 / 5.5]]),
        # channels centered: (-1, 1) and (1, -1), so along (1, -1) / sqrt 2 the places are -sqrt 2 and sqrt 2
        ("eigen_cam", [[0.0, np.sqrt(2)]]),
    ],
)
def test_a_map_of_a_layer_is_the_formula_s(name, expected):
    found = layer(replace(build(name, layers=("a",)), widths=(2,)) if name == "ablation_cam" else name)
    if name == "eigen_cam":  # equal in magnitude, so either end may be the positive one
        found = np.sort(found)
    np.testing.assert_allclose(found, expected, atol=1e-5)


WIDE = jnp.array([[[1.0, 4.0, 2.0, 0.0], [3.0, 2.0, 2.5, 9.0]]])  # deviations over places: 1, 1, 0.25 and 4.5


def wide(image, offsets):
    """A score of a layer "a" of four channels and of a layer "b", its first two at four places."""
    a = WIDE * image.sum() / 3.0 + offsets.get("a", 0.0)
    b = jnp.repeat(a, 2, 1)[..., :2] + offsets.get("b", 0.0)
    value = (a @ jnp.array([2.0, -1.0, 0.5, 3.0])).sum() + b.sum() / 7
    return value, {"a": a, "b": b, LOGITS: value[None]}


def tried(name, layers, most):
    widths = tuple({"a": 4, "b": 2}[layer] for layer in layers)
    method = build(name, layers=layers, max_channels=most, relu=False)
    method = replace(method, widths=widths, by_channel=True)
    return jax.jit(lambda x: evaluate(method, wide, x, KEY))(IMAGE)


@pytest.mark.parametrize("name", ["score_cam", "ablation_cam"])
@pytest.mark.parametrize("layers", [("a",), ("b",), ("a", "b")])
def test_only_the_most_variable_channels_are_tried(name, layers):
    every = tried(name, layers, None)
    for most in (4, 9):  # as many as there are, or more
        for layer, maps in tried(name, layers, most).items():
            np.testing.assert_array_equal(maps, every[layer])
    for layer, maps in tried(name, layers, 1).items():
        kept = {"a": 3, "b": 0}[layer]  # of equal deviations the first
        assert np.flatnonzero(np.abs(maps).max((0, 1))).tolist() == [kept]
        expected = every[layer][..., kept] if name == "ablation_cam" else WIDE[..., 3] if layer == "a" else None
        expected = jnp.repeat(WIDE[..., 0], 2, 1) if expected is None else expected  # the softmax of one score is 1
        np.testing.assert_allclose(maps[..., kept], expected, rtol=1e-6)


def test_the_softmax_of_score_cam_is_over_the_channels_that_are_tried():
    method = replace(build("score_cam", layers=("a",), max_channels=2), widths=(4,), by_channel=True)
    scores = [wide(IMAGE * scaled(WIDE[..., k])[..., None], {})[0] for k in (3, 0)]
    weights = jax.nn.softmax(jnp.stack(scores))
    found = jax.jit(lambda x: evaluate(method, wide, x, KEY))(IMAGE)["a"]
    np.testing.assert_allclose(found[..., 3], weights[0] * WIDE[..., 3], rtol=1e-5)
    np.testing.assert_allclose(found[..., 0], weights[1] * WIDE[..., 0], rtol=1e-5)
    np.testing.assert_array_equal(found[..., 1:3], np.zeros((1, 2, 2)))


def test_a_limit_of_no_channels_is_refused():
    with pytest.raises(InputError, match="max_channels is at least 1, or None for all channels; it was 0"):
        build("score_cam", max_channels=0)


def test_cams_are_rectified_unless_they_are_told_not_to_be():
    np.testing.assert_allclose(layer("hires_cam", relu=False), [[-2.0, 7.5]], atol=1e-6)


def test_hires_cam_sums_to_a_linear_score_and_xgrad_cam_to_the_same():
    for name in ("hires_cam", "xgrad_cam"):
        assert layer(name, relu=False).sum() == pytest.approx(5.5, abs=1e-5)


def test_three_formulas_of_grad_cam_pp():
    mass = np.array([4.0, 6.0])
    g = np.asarray(G)
    alpha = np.where(g > 0, 1 / (2 + g * mass), 0)
    np.testing.assert_allclose(eq19(A, G), alpha, atol=1e-6)
    inner = (g**3 * np.asarray(A)).sum((0, 1))
    np.testing.assert_allclose(torchcam(A, G), np.where(g > 0, g**2 / (2 * g**2 + inner), 0), atol=1e-6)
    np.testing.assert_allclose(xplique(A, G), np.where(g > 0, 1 / (2 + g * mass / 2), 0) / 2, atol=1e-6)
    weights = (alpha * np.maximum(g, 0)).sum((0, 1))
    np.testing.assert_allclose(layer("grad_cam_pp"), (np.asarray(A) * weights).sum(-1), atol=1e-5)


def test_grad_cam_pp_of_a_small_gradient_tends_to_half_wherever_it_is_positive():
    np.testing.assert_allclose(eq19(A, 1e-12 * G), np.where(np.asarray(G) > 0, 0.5, 0), atol=1e-6)


def test_eq_10_is_eq_19_for_exp_of_a_linear_score():
    np.testing.assert_allclose(layer("grad_cam_pp", variant="eq10"), layer("grad_cam_pp"), rtol=1e-5)


@pytest.mark.parametrize("of", ["exp", "softmax"])
def test_eq_10_by_the_jacobian_is_eq_10_by_nested_derivatives(of):
    score = at(lambda a: 0.2 * (G * jax.nn.relu(a)).sum())
    direct = layer("grad_cam_pp", score, variant="eq10", of=of)
    nested_method = NestedGradCAMPP(layers=("a",), shapes=(A.shape,), of=of)
    np.testing.assert_allclose(direct, evaluate(nested_method, score, IMAGE, KEY)["a"], rtol=1e-4)


def test_eq_10_of_a_curved_score_has_its_own_derivatives():
    score = at(lambda a: (a**3).sum())  # Y' = 3 a^2, Y'' = 6 a, Y''' = 6
    method = NestedGradCAMPP(layers=("a",), shapes=(A.shape,), of="logit")
    a = np.asarray(A)
    alpha = 6 * a / (12 * a + a.sum((0, 1)) * 6)
    expected = (a * (alpha * 3 * a**2).sum((0, 1))).sum(-1)
    np.testing.assert_allclose(evaluate(method, score, IMAGE, KEY)["a"], expected, rtol=1e-5)


def test_nested_derivatives_and_those_of_exp():
    first, second, third = nested(lambda t: jnp.sin(t + 1))
    np.testing.assert_allclose([first, second, third], [np.cos(1), -np.sin(1), -np.cos(1)], rtol=1e-6)
    over = of_exp(jnp.float32(2.0), jnp.float32(3.0), jnp.float32(5.0))
    np.testing.assert_allclose(over, [2, 4 + 3, 8 + 18 + 5])


def test_eq_10_without_a_denominator_is_zero_not_nan():
    zero = jnp.zeros_like(A)
    np.testing.assert_array_equal(weighed(A, (zero, zero, zero)), np.zeros((1, 2)))


def test_the_gradient_of_a_linear_score_is_its_weights_however_it_is_smoothed():
    weights = jnp.array([[[2.0], [-3.0]]])
    score = lambda image, offsets: ((weights * image).sum(), {})
    np.testing.assert_allclose(maps("gradient", score), weights)
    np.testing.assert_allclose(maps("smooth_grad", score, samples=7), weights, rtol=1e-6)
    np.testing.assert_allclose(maps("square_grad", score, samples=7), weights**2, rtol=1e-6)
    np.testing.assert_array_equal(maps("var_grad", score, samples=7), 0 * weights)
    np.testing.assert_allclose(maps("input_x_gradient", score), weights * IMAGE)


def test_var_grad_is_the_variance_of_what_smooth_grad_averages():
    mean, squares, variance = (
        np.asarray(maps(name, QUADRATIC, samples=20)) for name in ("smooth_grad", "square_grad", "var_grad")
    )
    np.testing.assert_allclose(variance, squares - mean**2, rtol=1e-3)
    # the gradient is 2 x, so its deviation is twice the noise's, which is 0.15 of the range 1
    big = maps("var_grad", QUADRATIC, samples=4000)
    np.testing.assert_allclose(big, np.full((1, 2, 1), 0.3**2), rtol=0.1)


@pytest.mark.parametrize("name", QUADRATURES)
def test_weights_sum_to_one_and_a_line_is_integrated_exactly(name):
    for n in (2, 5, 50):
        nodes, weights = quadrature(name, n)
        assert weights.sum() == pytest.approx(1, abs=1e-6)
        bias = {"left": -0.5 / n, "right": 0.5 / n}.get(name, 0)
        assert (nodes * weights).sum() == pytest.approx(0.5 + bias, abs=1e-6)
    assert len(quadrature(name, 3)[0]) == 3


@pytest.mark.parametrize("name", ["integrated_gradients", "expected_gradients", "guided_ig", "blur_ig"])
def test_path_methods_sum_to_what_they_should(name):
    score = lambda image, offsets: ((image**3).sum() + 2 * image[0, 0, 0] * image[0, 1, 0], {})
    options = {"guided_ig": {"steps": 400}, "expected_gradients": {"samples": 4000}, "blur_ig": {"max_sigma": 2.0}}
    method = build(name, **options.get(name, {}))
    raw = stepped(method, score) if name == "guided_ig" else maps(name, score, **options.get(name, {}))
    due = method.completeness_target(score, IMAGE)
    assert due == pytest.approx(13, rel=0.2)  # 1 + 8 + 4, less the score of what the path begins with
    assert raw.sum() == pytest.approx(float(due), rel=0.05 if name == "expected_gradients" else 0.02)


def stepped(method, score):
    state = method.init(score, IMAGE, KEY)
    step = jax.jit(lambda state, i: method.step(score, IMAGE, state, i))
    for i in range(method.steps):
        state = step(state, i)
    np.testing.assert_allclose(state[0], IMAGE, atol=1e-5)  # the path ends in the image
    return method.finish(score, IMAGE, state, KEY)


def test_integrated_gradients_of_a_square_is_half_of_input_x_gradient():
    np.testing.assert_allclose(maps("integrated_gradients", QUADRATIC), IMAGE**2, rtol=1e-5)
    symmetric = maps("integrated_gradients", QUADRATIC, jnp.full((1, 2, 1), 3.0))
    np.testing.assert_allclose(symmetric[0, 0], symmetric[0, 1])


def test_integrated_gradients_are_complete_at_a_kink():
    score = lambda image, offsets: (jax.nn.relu(image - 0.5).sum(), {})
    assert maps("integrated_gradients", score, samples=200).sum() == pytest.approx(2.0, rel=5e-3)


def test_layer_versions_of_a_score_that_is_linear_in_the_layer():
    # A is linear in the image too, so all agree: G * A, and G for the influence
    expected = np.asarray(G * A)
    np.testing.assert_allclose(layer("layer_integrated_gradients"), expected, rtol=1e-5)
    np.testing.assert_allclose(layer("internal_influence"), G, rtol=1e-5)
    np.testing.assert_allclose(layer("layer_conductance", samples=400), expected, rtol=1e-2)


def test_the_usual_unit_of_neuron_gradient_is_the_most_active():
    found = maps("neuron_gradient", LINEAR)
    np.testing.assert_allclose(found, np.full((1, 2, 1), 4 / 3), rtol=1e-6)  # A's largest value, 4, over 3


def test_a_blur_keeps_an_inner_spot_s_sum_and_narrows_to_the_image():
    image = jnp.zeros((21, 21, 1)).at[10, 10].set(1.0)
    assert blurred(image, jnp.float32(1.5), 1.5).sum() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(blurred(image, jnp.float32(0.0), 1.5), image, atol=1e-6)
    wide = np.asarray(blurred(image, jnp.float32(1.5), 1.5))[10, :, 0]
    np.testing.assert_allclose(wide[12] / wide[10], np.exp(-4 / (2 * 1.5**2)), rtol=1e-5)


def test_the_first_component_is_numpy_s_whichever_side_is_longer():
    for shape in ((3, 4, 5), (2, 2, 9)):
        values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        rows = values.reshape(-1, shape[-1]).astype(np.float64)
        rows -= rows.mean(0)
        along = (rows @ np.linalg.svd(rows)[2][0]).reshape(shape[:2])
        along = -along if -along.min() > along.max() else along
        np.testing.assert_allclose(principal(jnp.asarray(values)), along, atol=1e-4)
    np.testing.assert_array_equal(principal(jnp.ones((3, 3, 2))), np.zeros((3, 3)))


def test_upsampling_by_name():
    line = jnp.array([[0.0, 1.0]])
    expected = {"nearest": [0, 0, 1, 1], "bilinear": [0, 0.25, 0.75, 1], "bilinear_corners": [0, 1 / 3, 2 / 3, 1]}
    for how, values in expected.items():
        np.testing.assert_allclose(upsampled(line, (1, 4), how)[0], values, atol=1e-6)
    np.testing.assert_allclose(
        upsampled(line, (3, 4), "bilinear_corners"), [expected["bilinear_corners"]] * 3, atol=1e-6
    )
    np.testing.assert_allclose(upsampled(line.T, (1, 1), "bilinear_corners"), [[0.0]])
    assert upsampled(line, (3, 4), "bicubic").shape == (3, 4)
    assert upsampled(line, (3, 4), None) is line


def test_fused_maps_are_the_mean_and_a_constant_one_scales_to_zeros():
    np.testing.assert_allclose(scaled(jnp.array([[1.0, 3.0]])), [[0, 1]])
    np.testing.assert_array_equal(scaled(jnp.full((1, 2), 5.0)), [[0, 0]])
    np.testing.assert_allclose(fused([jnp.zeros((1, 2)), jnp.ones((1, 2))]), [[0.5, 0.5]])
