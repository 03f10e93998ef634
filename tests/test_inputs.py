"""Models with several inputs, arguments with a row per image, and several outputs."""

import dataclasses

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cnnviz import probe
from cnnviz.attribution import Unit, attribute, suite
from cnnviz.errors import InputError, InputTypeError
from cnnviz.probe.read import _read
from cnnviz.probe.trace import _trace

KEY = jax.random.key(0)
IMAGES = jax.random.uniform(jax.random.key(1), (5, 8, 8, 3))
MASKS = jax.random.uniform(jax.random.key(2), (5, 8, 8, 1))
FACTS = jax.random.normal(jax.random.key(3), (5, 4))
METHODS = ["gradient", "integrated_gradients", "smooth_grad", "guided_ig", "grad_cam", "lrp", "deep_lift"]


def network(module, image, facts, mask=None):
    x = nn.relu(nn.Conv(4, (3, 3), name="conv")(image))
    module.sow("intermediates", "relu", x)
    x = x if mask is None else x * mask
    x = jnp.concatenate([x.mean((1, 2)), nn.relu(nn.Dense(4, name="facts")(facts))], -1)
    return nn.Dense(3, name="head")(x)


class ByDict(nn.Module):
    @nn.compact
    def __call__(self, inputs, train: bool = False):
        return network(self, inputs["image"], inputs["facts"])


class ByPair(nn.Module):
    @nn.compact
    def __call__(self, inputs):
        return network(self, *inputs)


class ByArguments(nn.Module):
    @nn.compact
    def __call__(self, image, facts, train):
        return network(self, image, facts)


class ByMask(nn.Module):
    """One input, and a mask and a scale among the arguments of its call."""

    @nn.compact
    def __call__(self, image, mask, scale=1.0):
        return scale * network(self, image, jnp.ones((len(image), 4)), mask)


class OneInput(nn.Module):
    """The network with its other input held."""

    facts: tuple

    @nn.compact
    def __call__(self, image):
        return network(self, image, jnp.broadcast_to(jnp.array(self.facts)[None], (len(image), 4)))


GIVEN = {
    ByDict: {"image": IMAGES, "facts": FACTS},
    ByPair: (IMAGES, FACTS),
    ByArguments: (IMAGES, FACTS),
}
VARIABLES = ByPair().init(KEY, (IMAGES, FACTS))
EXPECTED = ByPair().apply(VARIABLES, (IMAGES, FACTS))


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (ByDict(), GIVEN[ByDict]),
        (ByPair(), GIVEN[ByPair]),
        (ByPair(), [IMAGES, FACTS]),
        (ByArguments(), GIVEN[ByArguments]),
        (ByArguments(), GIVEN[ByDict]),
    ],
)
def test_several_inputs_go_where_the_model_takes_them(model, inputs):
    np.testing.assert_allclose(probe.logits(model, VARIABLES, inputs, batch_size=2), EXPECTED, atol=1e-5)
    image, *_ = (jax.tree.map(lambda leaf, i=i: leaf[i], inputs) for i in (1,))
    logits, values = probe.network_of(model, VARIABLES)(image, {})
    np.testing.assert_allclose(logits, EXPECTED[1], atol=1e-5)
    assert [name for name in values if name in ("conv", "relu", "facts", "head")] == ["conv", "relu", "facts", "head"]
    rows = {row.name: row for row in probe.layers(model, VARIABLES, jax.tree.map(lambda leaf: leaf[0], inputs))}
    fields = {"conv": (3, 3), "facts": (4,)}
    assert {name: rows[name].receptive_field for name in fields} == fields
    total = probe.fold(
        model,
        VARIABLES,
        inputs,
        "head",
        jnp.zeros(3),
        lambda s, a, m: s + (a["head"] * m[:, None]).sum(0),
        batch_size=2,
    )
    np.testing.assert_allclose(total, EXPECTED.sum(0), atol=1e-4)


def test_an_nnx_module_takes_several_inputs():
    class Two(nnx.Module):
        def __init__(self, rngs):
            self.conv, self.dense = nnx.Conv(3, 2, (3, 3), rngs=rngs), nnx.Linear(6, 2, rngs=rngs)

        def __call__(self, image, facts):
            return self.dense(jnp.concatenate([self.conv(image).mean((1, 2)), facts], -1))

    module = Two(nnx.Rngs(0))
    model, variables = probe.from_nnx(module)
    for inputs in ((IMAGES, FACTS), {"image": IMAGES, "facts": FACTS}):
        np.testing.assert_allclose(probe.logits(model, variables, inputs), module(IMAGES, FACTS), atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_an_input_is_explained_as_by_the_network_with_the_other_one_held(name):
    few = {"samples": 3} if name in ("integrated_gradients", "smooth_grad") else {}
    found = attribute(name, ByDict(), VARIABLES, GIVEN[ByDict], 1, key=KEY, input="image", **few)
    held = OneInput(tuple(map(float, FACTS[0])))
    expected = attribute(name, held, VARIABLES, IMAGES[:1], 1, key=KEY, **few)
    np.testing.assert_allclose(found[:1], expected, atol=1e-5 * float(jnp.abs(expected).max()))


def test_without_a_name_every_input_is_explained_in_the_form_of_the_images():
    found = attribute("gradient", ByDict(), VARIABLES, GIVEN[ByDict], 1)
    one = lambda image, facts: ByPair().apply(VARIABLES, (image[None], facts[None]))[0, 1]
    for_image, for_facts = jax.vmap(jax.grad(one, (0, 1)))(IMAGES, FACTS)
    np.testing.assert_allclose(found["image"], for_image.sum(-1), atol=1e-6)
    np.testing.assert_allclose(found["facts"], for_facts, atol=1e-6)
    pair = suite(["gradient", "input_x_gradient"], ByPair(), VARIABLES, (IMAGES, FACTS), 1)
    np.testing.assert_allclose(pair[1]["input_x_gradient"], FACTS * for_facts, atol=1e-6)


class Tokens(nn.Module):
    """An image and the numbers of words."""

    @nn.compact
    def __call__(self, inputs):
        x = nn.Conv(4, (3, 3))(inputs["image"]).mean((1, 2))
        return nn.Dense(2)(x * nn.Embed(10, 4)(inputs["words"]).mean(1))


def test_integers_among_the_inputs_are_held():
    inputs = {"image": IMAGES, "words": jnp.arange(15).reshape(5, 3) % 10}
    variables = Tokens().init(KEY, inputs)
    found = attribute("gradient", Tokens(), variables, inputs, 0)
    assert found["words"] is None
    assert found["image"].shape == (5, 8, 8)
    with pytest.raises(InputTypeError, match="The input 'words' holds integers"):
        attribute("gradient", Tokens(), variables, inputs, 0, input="words")


def test_an_argument_with_a_row_per_image_is_taken_with_its_images():
    model = ByMask()
    variables = model.init(KEY, IMAGES, MASKS)
    expected = model.apply(variables, IMAGES, MASKS, 2.0)
    call = {"mask": probe.Rows(MASKS), "scale": 2.0}
    np.testing.assert_allclose(probe.logits(model, variables, IMAGES, call=call, batch_size=2), expected, atol=1e-5)
    one = probe.network_of(model, variables, call={"mask": probe.Rows(MASKS[3:4]), "scale": 2.0})
    np.testing.assert_allclose(one(IMAGES[3], {}).logits, expected[3], atol=1e-5)
    gradients = jax.grad(lambda x: model.apply(variables, x, MASKS, 2.0)[:, 1].sum())(IMAGES)
    found = attribute("gradient", model, variables, IMAGES, 1, call=call, batch_size=2)
    np.testing.assert_allclose(found, gradients.sum(-1), atol=1e-5)
    readers = [probe.Reader(model, variables, "head", call=call), probe.Reader(ByMask(), variables, "head", call=call)]
    total = lambda state, values, mask: state + sum((v["head"] * mask[:, None]).sum(0) for v in values)
    np.testing.assert_allclose(
        probe.fold_readers(readers, IMAGES, jnp.zeros(3), total, batch_size=2), expected.sum(0), atol=1e-4
    )


def test_other_rows_do_not_recompile_and_equal_constants_do_not_either():
    model = ByMask()
    variables = model.init(KEY, IMAGES, MASKS)
    ask = lambda mask, scale: probe.logits(
        model, variables, IMAGES, call={"mask": probe.Rows(mask), "scale": jnp.asarray(scale)}
    )
    first = ask(MASKS, 1.0)
    before = _read.cache_size(), _trace.cache_info().misses
    assert np.abs(ask(1 - MASKS, 1.0) - first).max() > 1e-4
    assert (_read.cache_size(), _trace.cache_info().misses) == before
    np.testing.assert_allclose(ask(MASKS, 2.0), 2 * first, atol=1e-5)


@flax.struct.dataclass
class Result:
    logits: jax.Array
    features: jax.Array


@dataclasses.dataclass
class Plain:
    scores: jax.Array
    extra: dict


FORMS = {
    "pair": lambda logits, maps: (logits, maps),
    "pair with intermediates": lambda logits, maps: (logits, {"intermediates": {"maps": maps}}),
    "dictionary": lambda logits, maps: {"features": maps.mean((1, 2)), "logits": logits},
    "dataclass": lambda logits, maps: Result(logits, maps.mean((1, 2))),
    "plain dataclass": lambda logits, maps: Plain(logits, {"maps": maps}),
    "softmax": lambda logits, maps: (maps, nn.softmax(logits)),
}
AMBIGUOUS = lambda logits, maps: (maps.mean((1, 2)), logits)


class Several(nn.Module):
    """A network that returns more than its logits."""

    form: object

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        self.sow("intermediates", "relu", x)
        logits = nn.Dense(3, name="head")(x.mean((1, 2)))
        return logits if self.form is None else self.form(logits, x)


ALONE = Several(None)
WEIGHTS = ALONE.init(KEY, IMAGES)


@pytest.mark.parametrize("form", FORMS)
def test_the_logits_are_found_among_several_outputs(form):
    model = Several(FORMS[form])
    np.testing.assert_allclose(probe.logits(model, WEIGHTS, IMAGES), probe.logits(ALONE, WEIGHTS, IMAGES), atol=1e-6)
    for name in ("grad_cam", "lrp_zero", "integrated_gradients"):
        found, expected = (attribute(name, each, WEIGHTS, IMAGES, "predicted") for each in (model, ALONE))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_output_is_chosen_by_its_place():
    model = Several(AMBIGUOUS)
    with pytest.raises(InputError, match=r"which output the logits are; the model gives 0 \(2, 4\), 1 \(2, 3\)"):
        probe.logits(model, WEIGHTS, IMAGES)
    expected = probe.logits(ALONE, WEIGHTS, IMAGES)
    np.testing.assert_allclose(probe.logits(model, WEIGHTS, IMAGES, output=1), expected, atol=1e-6)
    assert probe.logits(model, WEIGHTS, IMAGES, output="0").shape == (5, 4)
    assert probe.output_shape(model, WEIGHTS, (8, 8, 3), output=0) == (4,)
    found = attribute("gradient", model, WEIGHTS, IMAGES, 2, output=1)
    np.testing.assert_allclose(found, attribute("gradient", ALONE, WEIGHTS, IMAGES, 2), atol=1e-6)
    with pytest.raises(InputError, match="has no single output 'logits'; the model gives 0"):
        attribute("gradient", model, WEIGHTS, IMAGES, 2, output="logits")
    assert {"conv", "relu", "head"} <= probe.activations(model, WEIGHTS, IMAGES).keys()


def test_a_nested_output_is_named_by_its_path_or_the_end_of_it():
    model = Several(lambda logits, maps: {"main": {"scores": logits}, "aux": {"scores": 2 * logits}, "maps": maps})
    with pytest.raises(InputError, match="has no single output 'scores'"):
        probe.logits(model, WEIGHTS, IMAGES, output="scores")
    expected = 2 * probe.logits(ALONE, WEIGHTS, IMAGES)
    np.testing.assert_allclose(probe.logits(model, WEIGHTS, IMAGES, output="aux/scores"), expected, atol=1e-5)


@pytest.mark.parametrize("form", [AMBIGUOUS, lambda logits, maps: None, lambda logits, maps: {"maps": maps, "n": 3}])
def test_a_unit_needs_no_logits(form):
    unit = Unit("relu", (3, 4, 1))
    for name in ("gradient", "lrp_zero", "grad_cam", "integrated_gradients"):
        found, expected = (attribute(name, Several(each), WEIGHTS, IMAGES, unit) for each in (form, None))
        np.testing.assert_allclose(found, expected, atol=1e-6)


class Twins(nn.Module):
    """One tower for two images, and the distance of what it gives."""

    @nn.compact
    def __call__(self, left, right):
        tower = nn.Sequential([nn.Conv(4, (3, 3), name="conv"), nn.relu], name="tower")
        embed = nn.Dense(6, name="embed")
        one, other = (embed(tower(image).mean((1, 2))) for image in (left, right))
        return nn.Dense(2, name="head")(jnp.abs(one - other))


@pytest.mark.parametrize(("name", "layer"), [("left", "tower@0"), ("right", "tower@1")])
def test_the_default_layer_depends_on_the_input_that_is_explained(name, layer):
    images = {"left": IMAGES, "right": IMAGES[::-1] ** 2}
    variables = Twins().init(KEY, **images)
    found = attribute("layer_conductance", Twins(), variables, images, 1, input=name, details=True)
    assert list(found.layers) == [layer]
    assert np.abs(found.maps).max() > 0
    every = attribute("layer_conductance", Twins(), variables, images, 1, input=name, layers="all", details=True)
    assert all(each.endswith(layer[-2:]) for each in every.layers)


def test_the_default_layer_leads_to_the_unit_that_is_explained():
    class Deep(nn.Module):
        @nn.compact
        def __call__(self, x):
            for i in range(2):
                x = nn.relu(nn.Conv(4, (3, 3), name=f"conv{i}")(x))
                self.sow("intermediates", f"relu{i}", x)
            return nn.Dense(3)(x.mean((1, 2)))

    variables = Deep().init(KEY, IMAGES)
    unit = Unit("relu0", tuple(map(int, np.argwhere(probe.activations(Deep(), variables, IMAGES)["relu0"][0] > 0)[0])))
    found = attribute("hires_cam", Deep(), variables, IMAGES[:1], unit, details=True)
    assert list(found.layers) == ["relu0"]
    assert found.maps.any()


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: probe.logits(ByDict(), VARIABLES, {"image": IMAGES, "facts": FACTS[:3]}), "facts has 3|image has 5"),
        (
            lambda: probe.logits(
                ByMask(), ByMask().init(KEY, IMAGES, MASKS), IMAGES, call={"mask": probe.Rows(FACTS[:2])}
            ),
            "images has 5, mask has 2",
        ),
        (lambda: attribute("gradient", ByDict(), VARIABLES, GIVEN[ByDict], 1, input="imag"), "did you mean 'image'"),
        (lambda: attribute("gradient", ALONE, WEIGHTS, IMAGES, 1, input="image"), "images are one array"),
        (lambda: probe.logits(ALONE, WEIGHTS, [IMAGES, IMAGES]), "call does not take a list of 0, 1"),
        (lambda: probe.logits(ALONE, WEIGHTS, [IMAGES]), "Images are an array; these are a list"),
        (lambda: probe.logits(ALONE, WEIGHTS, jnp.ones(5)), r"Images have the shape \[n, ..., c\]"),
        (lambda: probe.logits(ALONE, WEIGHTS, jnp.ones((2, 8, 8, 0))), r"at least one value each; .* \(2, 8, 8, 0\)"),
        (
            lambda: probe.logits(ByDict(), VARIABLES, {"image": (IMAGES * 255).astype("uint8"), "facts": FACTS}),
            "The images 'image' are floats as the run's `prepare` makes them; these are uint8",
        ),
        (lambda: probe.layers(ALONE, WEIGHTS, "8x8x3"), "An image has a shape such as"),
        (lambda: probe.logits(Several(lambda l, m: None), WEIGHTS, IMAGES), "the model gives no array"),
    ],
)
def test_what_does_not_fit_is_said(ask, text):
    with pytest.raises(InputError, match=text):
        ask()


def test_several_inputs_are_prepared_together():
    pixels = {"image": np.asarray(IMAGES * 255).astype(np.uint8), "facts": FACTS}
    prepare = lambda inputs: {**inputs, "image": inputs["image"] / 255.0}
    found = probe.logits(ByDict(), VARIABLES, pixels, prepare=prepare, batch_size=2)
    np.testing.assert_allclose(found, EXPECTED, atol=1e-2)


class OnlyOne(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x.reshape(1, 32))


def test_a_model_for_one_number_of_images_is_told_so():
    model, image = OnlyOne(), jnp.ones((1, 4, 4, 2))
    variables = model.init(KEY, image)
    with pytest.raises(InputError, match=r"does not take any number of images: .* write x.reshape\(len\(x\), -1\)"):
        probe.activations(model, variables, image)


class WithMode(nnx.Module):
    """A mode of its own making, in an attribute that Flax's `eval` does not know."""

    def __init__(self, rngs):
        self.dense = nnx.Linear(4, 3, rngs=rngs)
        self.training = True

    def __call__(self, x):
        return self.dense(x) * (7.0 if self.training else 1.0)


def test_a_mode_of_an_nnx_module_s_own_making_is_set():
    module = WithMode(nnx.Rngs(0))
    model, variables = probe.from_nnx(module)
    np.testing.assert_allclose(probe.logits(model, variables, FACTS), module.dense(FACTS), rtol=1e-6)
    np.testing.assert_allclose(model.train(variables, FACTS, KEY)[0], 7 * module.dense(FACTS), rtol=1e-6)
    assert module.training
