"""What a method compares an image with: a number, an image, one per image, an infill, or images of a data set."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cnnviz.attribution import METHODS, attribute, build
from cnnviz.attribution.infills import INFILLS
from cnnviz.attribution.inputs import INFILL
from cnnviz.attribution.shapes import image_sets, options_in
from cnnviz.errors import InputError, InputTypeError
from cnnviz.models.cnn import CNN
from cnnviz.registry import resolve

KEY = jax.random.key(9)
IMAGES = np.asarray(jax.random.uniform(jax.random.key(1), (3, 8, 8, 1)))
DATA = np.asarray(jax.random.uniform(jax.random.key(2), (4, 8, 8, 1)))
FEW = {"samples": 2, "steps": 2}
FIELDS = {name: set(options_in(resolve(METHODS, name, "method"))) for name in METHODS}
COMPARING = [name for name in METHODS if "baseline" in FIELDS[name]]
SETS = [name for name in COMPARING if image_sets(build(name))]
ONES = [name for name in COMPARING if name not in SETS]


@pytest.fixture(scope="module")
def network():
    model = CNN(classes=3)
    return model, jax.jit(model.init)(KEY, IMAGES)


@pytest.fixture(scope="module")
def maps(network):
    def maps(name, key=KEY, images=IMAGES, **options):
        few = {option: value for option, value in FEW.items() if option in FIELDS[name] and name != "deep_lift_shap"}
        return np.asarray(attribute(name, *network, images, 1, key=key, **few | options))

    return maps


def filled(infill, key=KEY):
    """Each image's infill, one by one."""
    keys = [jax.random.fold_in(jax.random.fold_in(key, i), INFILL) for i in range(len(IMAGES))]
    fill = INFILLS[infill].fill
    return np.stack([fill(jnp.asarray(image), k, DATA) for image, k in zip(IMAGES, keys, strict=True)])


def test_every_method_has_one_word_for_what_it_compares_with():
    assert set(ONES) >= {"integrated_gradients", "guided_ig", "deep_lift", "layer_conductance"}
    assert SETS == ["expected_gradients", "deep_lift_shap"]
    assert not any({"references", "baselines"} & known for known in FIELDS.values())


@pytest.mark.parametrize("name", COMPARING)
def test_a_number_an_image_and_one_per_image_are_the_same_baseline(name, maps):
    number = maps(name, baseline=0.25)
    image = np.full(IMAGES.shape[1:], 0.25, np.float32)
    np.testing.assert_allclose(maps(name, baseline=image), number, atol=1e-6)
    np.testing.assert_allclose(maps(name, baseline=np.stack([image] * 3)), number, atol=1e-6)
    assert np.abs(maps(name) - number).max() > 0


@pytest.mark.parametrize("infill", INFILLS)
@pytest.mark.parametrize("name", ["integrated_gradients", "guided_ig", "deep_lift"])
def test_an_infill_is_the_baseline_of_each_image(name, infill, maps):
    expected = maps(name, baseline=filled(infill))
    np.testing.assert_allclose(maps(name, baseline=infill, data=DATA), expected, atol=1e-6)


@pytest.mark.parametrize("infill", ["black", "blur", "noise"])
def test_an_infill_is_a_set_of_one_for_a_method_that_takes_a_set(infill, maps):
    ones = [maps("deep_lift", baseline=filled(infill))]
    np.testing.assert_allclose(maps("deep_lift_shap", baseline=infill), ones[0], atol=1e-6)
    assert np.isfinite(maps("expected_gradients", baseline=infill)).all()


@pytest.mark.parametrize("name", SETS)
def test_the_infill_data_is_the_data_set_for_a_method_that_takes_a_set(name, maps):
    np.testing.assert_array_equal(maps(name, baseline="data", data=DATA), maps(name, baseline=DATA))


def test_a_random_infill_is_that_of_the_key_and_the_image_for_any_batch_size(maps):
    ask = lambda **options: maps("integrated_gradients", baseline="noise", **options)
    np.testing.assert_allclose(ask(batch_size=1), ask(), atol=1e-6)
    assert np.abs(ask(key=jax.random.key(10)) - ask()).max() > 0
    close = np.testing.assert_allclose
    close(ask(images=IMAGES[:2]), ask()[:2], atol=1e-6)


def test_a_method_inside_another_has_its_baselines_too(network):
    ask = lambda baseline: attribute("smooth_grad", *network, IMAGES, 1, key=KEY, samples=2,
                                     base=build("integrated_gradients", samples=2, baseline=baseline))  # fmt: skip
    expected = ask(filled("blur"))
    np.testing.assert_allclose(ask("blur"), expected, atol=1e-6)
    assert np.abs(expected - ask(0.0)).max() > 0


def test_a_jitted_call_takes_infills(network):
    model, variables = network
    ask = lambda v, x, key: attribute("deep_lift", model, v, x, 1, key=key, baseline="noise")
    np.testing.assert_allclose(jax.jit(ask)(variables, IMAGES, KEY), ask(variables, IMAGES, KEY), atol=1e-6)


def test_the_infills_are_their_formulas():
    image = jnp.asarray(np.random.default_rng(0).uniform(1, 3, (12, 12, 2)), jnp.float32)
    data = jnp.asarray(np.random.default_rng(1).uniform(size=(4, 12, 12, 2)), jnp.float32)
    fill = {name: np.asarray(infill.fill(image, KEY, data)) for name, infill in INFILLS.items()}
    assert not fill["black"].any()
    np.testing.assert_allclose(fill["mean"], np.broadcast_to(image.mean((0, 1)), image.shape), rtol=1e-6)
    assert image.min() <= fill["noise"].min() < fill["noise"].max() <= image.max()
    assert fill["noise"].std() == pytest.approx(float(image.max() - image.min()) / np.sqrt(12), rel=0.1)
    assert any((fill["data"] == one).all() for one in data)
    at = np.arange(12)
    gauss = np.exp(-((at[:, None] - at) ** 2) / (2 * (12 * 10 / 224) ** 2))
    gauss /= gauss.sum(1, keepdims=True)
    np.testing.assert_allclose(fill["blur"], np.einsum("ij,jkc,lk->ilc", gauss, image, gauss), rtol=1e-5)


def test_data_is_drawn_from_all_images_alike():
    draw = jax.vmap(lambda key: INFILLS["data"].fill(jnp.zeros((1, 1, 1)), key, jnp.arange(4.0).reshape(4, 1, 1, 1)))
    counts = np.bincount(np.asarray(draw(jax.random.split(KEY, 4000))).astype(int).ravel(), minlength=4)
    np.testing.assert_allclose(counts, 1000, rtol=0.15)


@pytest.mark.parametrize("name", COMPARING)
@pytest.mark.parametrize(
    ("given", "text"),
    [
        (np.zeros((8, 8)), r"A baseline is a number, an image \(8, 8, 1\), .*; it has the shape \(8, 8\)\."),
        (np.zeros((5, 4, 4, 1)), r"it has the shape \(5, 4, 4, 1\)\."),
        ({}, r"or the name of an infill \(black, mean, blur, noise, negative, data\); it was \{\}\."),
        (None, "it was None"),
        ("blakc", "'blakc' is not an infill; did you mean 'black'"),
        ("data", 'The infill "data" needs images of a data set; give them as data=...'),
    ],
)  # fmt: skip
def test_what_is_no_baseline_is_said(name, given, text, maps):
    with pytest.raises(InputError, match=text):
        maps(name, baseline=given)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(baseline="noise", key=None), r"The infill 'noise' draws at random; give it a key"),
        (dict(baseline="data", data=DATA, key=None), r"The infill 'data' draws at random; give it a key"),
        (dict(baseline="data", data=DATA[:, :4]), r"data set have the shape \(8, 8, 1\); these have \(4, 8, 1\)"),
        (dict(baseline="data", data=np.zeros((2, 8, 8, 1), np.uint8)), "these are uint8"),
        (dict(baseline="data", data=np.full((2, 8, 8, 1), np.nan, np.float32)), "Image of the data set 0 holds NaN"),
    ],
)  # fmt: skip
def test_what_no_infill_can_be_made_of_is_said(options, text, maps):
    with pytest.raises(InputError, match=text):
        maps("deep_lift", **options)


def test_a_train_state_is_taken_by_its_variables(network, unchecked):
    from flax.training.train_state import TrainState

    model, variables = network
    state = TrainState.create(apply_fn=model.apply, params=variables["params"], tx=optax.sgd(0.1))
    np.testing.assert_array_equal(
        attribute("gradient", model, state, IMAGES, 1), attribute("gradient", model, variables, IMAGES, 1)
    )
    with pytest.raises(InputTypeError, match="or a Flax TrainState; these are of the type list"):
        attribute("gradient", model, [1], IMAGES, 1)
