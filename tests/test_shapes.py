"""Images of any rank: for every method a picture of height 1 is a signal, and a volume of depth 1 a picture."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import kernels, probe
from cnnviz.attribution import METHODS, attribute, build, suite
from cnnviz.attribution.shapes import options_in
from cnnviz.errors import InputError
from cnnviz.registry import resolve

KEY = jax.random.key(3)
FEW = {"samples": 3, "steps": 3}
OPTIONS = {"grad_cam_pp": {"variant": "eq10", "of": "softmax"}, "score_cam": {"mask_upsampling": "bilinear_corners"}}


class Tiny(nn.Module):
    """Two convolutions whose windows have `ones` sides of length 1 and `sides` others."""

    sides: int
    ones: int = 0

    @nn.compact
    def __call__(self, x):
        window = lambda n: (1,) * self.ones + (n,) * self.sides
        x = nn.max_pool(nn.relu(nn.Conv(4, window(3), name="conv1")(x)), window(2), strides=window(2))
        x = nn.relu(nn.Conv(5, window(3), name="conv2")(x))
        self.sow("intermediates", "relu2", x)
        return nn.Dense(3, name="logits")(x.mean(tuple(range(1, x.ndim - 1))))


def draw(model, shape):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, KEY, jnp.zeros((1, *shape)))["params"]
    return {"params": jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.4, leaf.shape), jnp.float32), shapes)}


def wider(variables):
    """The same weights, with another side of length 1 in front of the kernels of convolutions."""
    convolution = lambda leaf: leaf[None] if leaf.ndim > 2 else leaf
    return jax.tree.map(convolution, variables)


APPLICABLE = [name for name in METHODS if not name.startswith("attention")]  # the network has none


def methods(names):
    built = {}
    for name in names:
        known = options_in(resolve(METHODS, name, "method"))
        built[name] = build(name, **{option: value for option, value in FEW.items() if option in known})
    return built


def pair(sides):
    """A network on images of so many sides, and the same one on images with another side of length 1."""
    images = jax.random.uniform(jax.random.key(1), (2, *(8, 6)[:sides], 2))
    model, flat = Tiny(sides), Tiny(sides, 1)
    variables = draw(model, images.shape[1:])
    return (model, variables, images), (flat, wider(variables), images[:, None])


@pytest.mark.parametrize("sides", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_side_of_length_one_changes_no_method(sides):
    plain, flat = pair(sides)
    asked = {"all": methods(APPLICABLE), "options": {name: build(name, **ours) for name, ours in OPTIONS.items()}}
    for chosen in asked.values():
        ours, theirs = (suite(chosen, *network, 1, key=KEY) for network in (plain, flat))
        for name in chosen:
            assert ours[name].shape == plain[2].shape[:-1]
            scale = max(1.0, float(jnp.abs(ours[name]).max()))
            np.testing.assert_allclose(theirs[name][:, 0], ours[name], atol=2e-6 * scale, err_msg=name)


@pytest.mark.parametrize("how", ["bilinear", "bilinear_corners", "bicubic", "nearest", None])
def test_a_side_of_length_one_changes_no_upsampling(how):
    ours, theirs = (attribute("grad_cam", *network, 2, upsampling=how) for network in pair(1))
    np.testing.assert_allclose(theirs[:, 0], ours, atol=1e-6)


@pytest.mark.parametrize("infill", ["black", "mean", "blur", "noise", "data"])
def test_a_side_of_length_one_changes_no_infill(infill):
    ours, theirs = (
        attribute("integrated_gradients", *network, 2, baseline=infill, key=KEY, data=network[2][:1])
        for network in pair(1)
    )
    np.testing.assert_allclose(theirs[:, 0], ours, atol=1e-6)


@pytest.mark.parametrize("sides", [1, 2])
def test_a_side_of_length_one_changes_nothing_in_the_probe(sides):
    (model, variables, images), flat = pair(sides)
    values, other = probe.activations(model, variables, images), probe.activations(*flat)
    for name in values:
        np.testing.assert_allclose(jnp.squeeze(other[name]), jnp.squeeze(values[name]), atol=1e-5)
    rows, flat_rows = probe.layers(model, variables, images.shape[1:]), probe.layers(*flat[:2], flat[2].shape[1:])
    assert [(row.name, row.kind, row.parameters) for row in rows] == [(r.name, r.kind, r.parameters) for r in flat_rows]
    assert [(1, *row.receptive_field) for row in rows] == [row.receptive_field for row in flat_rows]
    found = {name: kernel.shape for name, kernel in kernels.kernels(variables).items()}
    assert found == {"conv1": (*(3,) * sides, 2, 4), "conv2": (*(3,) * sides, 4, 5)}


def test_a_signal_has_the_receptive_fields_of_the_textbook():
    model = Tiny(1)
    rows = probe.layers(model, draw(model, (16, 2)), (16, 2))
    fields = {
        "conv1": (3,),
        "relu": (3,),
        "max_pool": (4,),
        "conv2": (8,),
        "relu2": (8,),
        "mean": (16,),
        "logits": (16,),
    }
    assert {row.name: row.receptive_field for row in rows} == fields


@pytest.mark.slow
def test_a_volume_has_maps_of_every_method():
    images = jax.random.uniform(KEY, (2, 4, 6, 8, 1))
    for name, maps in suite(methods(APPLICABLE), Tiny(3), draw(Tiny(3), images.shape[1:]), images, 1, key=KEY).items():
        assert maps.shape == (2, 4, 6, 8), name
        assert jnp.isfinite(maps).all(), name
        assert maps.any(), name


class Perceptron(nn.Module):
    """A network on vectors."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Dense(6)(x)))


def test_vectors_have_one_value_per_feature():
    features = jax.random.normal(KEY, (4, 5))
    variables = Perceptron().init(KEY, features)
    logits = lambda x: Perceptron().apply(variables, x)[1]
    gradients = jax.vmap(jax.grad(logits))(features)
    np.testing.assert_allclose(attribute("gradient", Perceptron(), variables, features, 1), gradients, atol=1e-6)
    found = attribute("integrated_gradients", Perceptron(), variables, features, 1, details=True)
    np.testing.assert_allclose(found.gap, 0, atol=1e-2)
    assert found.maps.shape == features.shape
    for name in ("lrp_zero", "smooth_grad", "deep_lift", "full_grad", "guided_ig", "layer_gradient_x_activation"):
        options = {"layers": "Dense_1"} if "layer" in name else {}
        maps = attribute(name, Perceptron(), variables, features, 1, key=KEY, **options)
        assert maps.shape == (4, 6 if "layer" in name else 5), name
    assert {row.receptive_field for row in probe.layers(Perceptron(), variables, (5,))} == {(5,)}


@pytest.mark.parametrize(
    ("method", "options", "text"),
    [
        ("grad_cam", {}, "No layer of this model has a spatial extent"),
        ("blur_ig", {}, "blur_ig needs images, signals or volumes to blur"),
        ("integrated_gradients", {"baseline": "blur"}, "The infill 'blur' needs images, signals or volumes"),
    ],
)
def test_what_needs_places_refuses_vectors(method, options, text):
    features = jnp.ones((2, 5))
    with pytest.raises(InputError, match=text):
        attribute(method, Perceptron(), Perceptron().init(KEY, features), features, 1, **options)


def test_a_dense_layer_of_a_signal_is_not_taken_for_a_map():
    model, variables, images = pair(1)[0]
    found = attribute("layer_gradient_x_activation", model, variables, images, 1, layers="logits")
    assert found.shape == (2, 3)
    assert attribute("layer_gradient_x_activation", model, variables, images, 1).shape == (2, 8)


@pytest.mark.parametrize("sides", [1, 2])
def test_images_without_their_first_axis_are_refused(sides):
    model, variables, images = pair(sides)[0]
    with pytest.raises(InputError, match=r"Images have the shape \[n, ..., c\], one row per image"):
        probe.logits(model, variables, images[0])


def test_dense_layers_over_several_axes_are_no_convolutions():
    class Attends(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Conv(4, (3,), name="conv")(x)
            x = nn.MultiHeadDotProductAttention(2, use_bias=False, name="attention")(x, x)
            return nn.DenseGeneral((2, 3), name="several")(x.mean(1)) + nn.DenseGeneral(3, axis=(1, 2), name="joined")(
                nn.Dense(2, name="dense")(x)
            ).reshape(-1, 1, 3)

    images = jnp.ones((2, 8, 4))
    variables = Attends().init(KEY, images)
    assert set(kernels.kernels(variables)) == {"conv", "joined"}
    layers = probe.layers(Attends(), variables, (8, 4))
    assert list(kernels.kernels(variables, layers)) == ["conv"]
