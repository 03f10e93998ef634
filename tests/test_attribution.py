"""What every method of METHODS keeps: one finite map an image, from that image alone, however it is computed."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import METHODS, Unit, attribute, build, suite
from cnnviz.attribution import run as runner
from cnnviz.attribution.layers import choose, places
from cnnviz.attribution.shapes import Direct, method, options_in
from cnnviz.batching import steps
from cnnviz.errors import InputError, InputTypeError
from cnnviz.fast.switch import REWRITES, Rewrite
from cnnviz.models.cnn import CNN
from cnnviz.registry import resolve

KEY = jax.random.key(7)
FEW = {"samples": 3, "steps": 3}  # enough for what holds for any number

# Of a constant score these give a map of their own, for they do not look at how the score changes.
LOOKS_AWAY = {
    "eigen_cam": "it is of the activations alone",
    "fem": "it is of the activations alone",
    "kpca_cam": "it is of the activations alone",
    "neuron_gradient": "it is of a unit, not of the score",
    "score_cam": "the softmax of equal scores is uniform",
}


class Tiny(nn.Module):
    """A network that every method can explain: a mean over places before its one dense layer."""

    scale: float = 1.0

    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3), name="conv1")(x)), (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(5, (3, 3), name="conv2")(x))
        self.sow("intermediates", "relu2", x)
        return self.scale * nn.Dense(3, name="logits")(x.mean((1, 2)))


def fit(name):
    """The options that make a method quick."""
    known = options_in(resolve(METHODS, name, "method"))
    return {option: value for option, value in FEW.items() if option in known}


def draw(model, images, seed=0):
    """Variables by NumPy: to compile a draw takes longer than all that is tested with it."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(model.init, KEY, images)["params"]
    return {"params": jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.4, leaf.shape), jnp.float32), shapes)}


@pytest.fixture(scope="module")
def tiny(images):
    return Tiny(), draw(Tiny(), images)


@pytest.fixture(scope="module")
def run(tiny, images):
    """A method's maps of the shared images, with some arguments other than usual."""

    def run(name, images=images, targets=(0, 2, 1, 1, 0), variables=tiny[1], key=KEY, **options):
        targets = targets if callable(targets) else np.array(targets)
        return np.asarray(attribute(name, tiny[0], variables, images, targets, key=key, **fit(name), **options))

    return run


def close(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(found, expected, atol=tolerance * max(np.abs(expected).max(), 1e-30))


APPLICABLE = [name for name in METHODS if not name.startswith("attention")]  # those are in test_attention.py
each = pytest.mark.parametrize("name", APPLICABLE)


def test_no_two_methods_are_taken_for_each_other():
    """What is compiled is kept by the tree of its arguments, so no two methods may have equal ones."""
    trees = [jax.tree.structure(build(name, **fit(name))) for name in METHODS]
    assert all((one == other) == (i == j) for i, one in enumerate(trees) for j, other in enumerate(trees))


@each
def test_one_finite_map_an_image(name, run, images):
    maps = run(name)
    assert maps.shape == images.shape[:3]
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() > 0


@each
def test_a_map_depends_on_its_own_image_alone(name, run, images):
    others = jnp.roll(images, 1, 0).at[2].set(images[2])
    close(run(name, others)[2], run(name)[2])


@each
def test_the_batch_size_is_only_a_matter_of_memory(name, run):
    close(run(name, batch_size=2), run(name), 5e-5)  # hsic sums small differences, in another order


@each
def test_another_checkpoint_class_or_image_compiles_nothing(name, run, tiny, images):
    count = lambda: sum(getattr(runner, step).cache_size() for step in COMPILED)
    run(name)
    before = count()
    other = run(name, 1 - images, (1, 1, 1, 0, 2), draw(tiny[0], images, 1))
    assert count() == before
    assert np.abs(other - run(name)).max() > 0


COMPILED = ("_direct", "_contribute", "_kept", "_finish", "_init", "_step")


@each
def test_a_constant_score_is_explained_by_zeros(name, run):
    maps = run(name, targets=lambda logits: 3.0 + 0 * logits.sum())
    assert np.isfinite(maps).all()
    assert name in LOOKS_AWAY or not maps.any()


@each
def test_a_jitted_call_gives_what_a_plain_one_gives(name, run, tiny, images):
    model, variables = tiny
    targets = jnp.array([0, 2, 1, 1, 0])
    jitted = jax.jit(lambda v, x, t, key: attribute(name, model, v, x, t, key=key, **fit(name)))
    close(jitted(variables, images, targets, KEY), run(name))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 7])
def test_images_of_one_and_of_seven_channels_have_maps_of_every_method(channels):
    images = jax.random.uniform(KEY, (2, 8, 8, channels))
    methods = {name: build(name, **fit(name)) for name in APPLICABLE}
    for maps in suite(methods, Tiny(), draw(Tiny(), images), images, 1, key=KEY).values():
        assert maps.shape == (2, 8, 8)
        assert jnp.isfinite(maps).all()


@pytest.mark.parametrize("name", ["gradient", "smooth_grad", "guided_ig", "grad_cam"])
def test_an_nnx_module_and_a_foreign_one_are_explained(name, small_nnx, foreign, images):
    for model, variables in (probe.from_nnx(small_nnx), foreign):
        maps = attribute(name, model, variables, images, "predicted", key=KEY, **fit(name))
        assert maps.shape == images.shape[:3]
        assert jnp.isfinite(maps).all()


@pytest.mark.parametrize("name", [name for name in METHODS if name.endswith(("cam", "cam_pp"))])
def test_a_scaled_logit_gives_the_same_normalized_cam(name, tiny, images):
    if name == "score_cam":
        pytest.skip("its weights are a softmax of the scores")
    if name == "grad_cam_pp":
        pytest.skip("its alpha depends on the scale by its formula; a test of its own has its limit")
    plain, small = (
        np.asarray(attribute(name, Tiny(scale), tiny[1], images, 1, key=KEY, **fit(name))) for scale in (1.0, 1e-4)
    )
    for one, other in zip(plain, small, strict=True):
        close(other / max(np.abs(other).max(), 1e-30), one / max(np.abs(one).max(), 1e-30), 1e-4)


def test_random_draws_are_those_of_the_key_and_of_the_image(run):
    once, again, other = (run("smooth_grad", key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0


def test_a_suite_gives_what_each_method_gives_and_computes_what_they_share_once(tiny, images, monkeypatch):
    monkeypatch.setitem(REWRITES, "cpu", frozenset(Rewrite) - {Rewrite.CONVOLUTIONS})  # so that all can be counted
    model, variables = tiny
    names = ["grad_cam", "hires_cam", "layer_cam"]
    found = suite(names, model, variables, images, 1)
    for name in names:
        close(found[name], attribute(name, model, variables, images, 1))

    def convolutions(methods):
        lowered = jax.jit(lambda v, x: suite(methods, model, v, x, 1)).lower(variables, images)
        return lowered.as_text().count("stablehlo.convolution")

    assert convolutions(names) == convolutions(["grad_cam"]) == 2
    assert convolutions([*names, "gradient"]) == 4  # two forward, and two for the pixels


def test_a_suite_takes_methods_with_options_and_every_shape(tiny, images):
    methods = {"early": build("grad_cam", layers="conv1"), "late": "grad_cam", "path": build("guided_ig", steps=2)}
    methods["noisy"] = build("smooth_grad", samples=2, base=build("grad_cam"))
    found = suite(methods, *tiny, images, "predicted", key=KEY, details=True)
    assert list(found) == list(methods)
    assert {name: list(one.layers) for name, one in found.items()} == {
        "early": ["conv1"], "late": ["relu2"], "path": [], "noisy": ["relu2"]
    }  # fmt: skip
    assert found["path"].gap.shape == (5,)
    assert found["late"].gap is None


def test_targets_are_a_class_a_name_a_pair_a_function_or_a_unit(tiny, images):
    model, variables = tiny
    gradient = lambda targets, **options: attribute("gradient", model, variables, images, targets, **options)
    logits = probe.logits(model, variables, images)
    close(gradient("predicted"), gradient(np.asarray(logits).argmax(1)))
    close(gradient("label", labels=[0, 1, 2, 0, 1]), gradient([0, 1, 2, 0, 1]))
    close(gradient((2, 0)), gradient(2) - gradient(0))
    close(gradient(("predicted", 1)), gradient("predicted") - gradient(1))
    close(gradient(lambda logits: logits[0] + 2 * logits[2]), gradient(0) + 2 * gradient(2))
    unit = attribute("neuron_gradient", model, variables, images, 0, layers="relu2", unit=(1, 2, 3))
    close(gradient(Unit("relu2", (1, 2, 3))), unit)


def test_layers_are_the_usual_one_those_named_or_all(tiny, images):
    model, variables = tiny
    ask = lambda **options: attribute("layer_cam", model, variables, images, 1, details=True, **options)
    assert list(ask().layers) == ["relu2"]
    both = ask(layers=("relu2", "conv1"))
    assert {name: values.shape[1:] for name, values in both.layers.items()} == {"conv1": (8, 8), "relu2": (4, 4)}
    assert set(ask(layers="all").layers) == {"conv1", "relu", "max_pool", "conv2", "relu2"}
    assert set(ask(layers="conv*").layers) == {"conv1", "conv2"}
    assert set(ask(layers=("kind:relu", 0)).layers) == {"conv1", "relu", "relu2"}
    assert ask(upsampling=None).maps.shape == (5, 4, 4)
    scaled = lambda maps: (maps - maps.min((1, 2), keepdims=True)) / np.ptp(maps, (1, 2), keepdims=True)
    early, late = (np.asarray(both.layers[name]) for name in ("conv1", "relu2"))
    late = jax.image.resize(scaled(late), early.shape, "bilinear")
    close(both.maps, (scaled(early) + late) / 2)


def test_a_default_layer_is_after_a_non_linearity_and_where_its_branches_have_met(small_nnx, foreign, images):
    found = [
        attribute("grad_cam", m, v, images, 0, details=True).layers for m, v in (probe.from_nnx(small_nnx), foreign)
    ]
    assert [list(layers) for layers in found] == [["relu"], ["block"]]


def test_channels_are_reduced_by_name_or_kept(tiny, images):
    ask = lambda how: np.asarray(attribute("gradient", *tiny, images, 1, channels=how))
    raw = ask("keep")
    assert raw.shape == images.shape
    for how, expected in {"sum": raw.sum(-1), "mean": raw.mean(-1), "max_abs": np.abs(raw).max(-1)}.items():
        close(ask(how), expected)
    close(ask("l2"), np.sqrt((raw**2).sum(-1)))


def test_a_report_counts_the_chunks(tiny, images):
    told = []
    attribute("smooth_grad", *tiny, images, 1, key=KEY, samples=4, batch_size=2, report=lambda *now: told.append(now))
    assert told == [(i + 1, 10) for i in range(10)]


def test_a_method_of_ones_own_needs_no_registration(tiny, images):
    @method
    class Brightness(Direct):
        def __call__(self, score, image):
            return image * score(image, {})[0]

    maps = attribute(Brightness(), *tiny, images, 1)
    close(maps, images.sum(-1) * np.asarray(probe.logits(*tiny, images))[:, 1, None, None])


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (dict(method="grad_cma"), "'grad_cma' is not a method; did you mean 'grad_cam'"),
        (dict(method=build("grad_cam"), layer="relu2"), "'layer' is not an option of GradCAM; did you mean 'layers'"),
        (dict(layer="relu2"), "'layer' is not an option of grad_cam; did you mean 'layers'"),
        (dict(by_channel=True), "'by_channel' is not an option of grad_cam. Known: layers, relu"),
        (dict(method="occlusion", samples=9), "'samples' is not an option of occlusion. Known: window, stride, infill"),
        (dict(method="smooth_grad", samples="x"), "option samples of smooth_grad must be a whole number; it was 'x'"),
        (dict(method="smooth_grad", samples=True), "samples of smooth_grad must be a whole number; it was True"),
        (dict(method="smooth_grad", base=3, key=KEY), r'base is a method, as build\("gradient"\) makes it; it was 3'),
        (dict(method="expected_gradients", noise=-1.0, key=KEY), "so not negative; it was -1"),
        (dict(method="integrated_gradients", samples=10**9), "at most 2,000 samples, midpoint any; samples was 1,000,"),
        (dict(method="smooth_grad", noise="x"), "option noise of smooth_grad must be a number; it was 'x'"),
        (dict(layers="relu3"), "'relu3' is not a layer; did you mean 'relu' or 'relu2'"),
        (dict(layers="logits"), r"no spatial extent \(its shape is \(3,\)\); layers that have one: conv1, relu, max_p"),
        (dict(layers=()), "needs at least one layer"),
        (dict(targets=3), "class from 0 to 2; it was 3"),
        (dict(targets=[0, 1, 2, -1, 0]), "class from 0 to 2; it was -1"),
        (dict(targets=[0, 1]), r"one class for all images or one per image \(5\); they have the shape \(2,\)"),
        (dict(targets=1.5), "so integers; these are float"),
        (dict(targets="likely"), "it was 'likely'"),
        (dict(targets="label"), "needs the labels"),
        (dict(targets=(0, 1, 2)), "this tuple has 3 entries"),
        (dict(targets=Unit("relu2", (9, 0, 0))), r"index into \(4, 4, 5\); it was \(9, 0, 0\)"),
        (dict(targets=Unit("conv*", (0, 0, 0))), r"One layer is needed here; 'conv\*' means 2: conv1, conv2"),
        (dict(targets=Unit("relu9", (0, 0, 0))), "'relu9' is not a layer; did you mean 'relu' or 'relu2'"),
        (dict(images=np.zeros((2, 9, 8, 2), np.float32)), "do not fit this model's weights"),
        (dict(images=np.zeros((2, 8, 8, 3), np.uint8)), "as the run's `prepare` makes them; these are uint8"),
        (dict(images=np.full((2, 8, 8, 3), np.nan, np.float32)), "Image 0 holds NaN"),
        (dict(images=np.full((2, 8, 8, 3), np.inf, np.float32)), "Image 0 holds NaN or infinity"),
        (dict(images=np.zeros((0, 8, 8, 3), np.float32)), "No images were given"),
        (dict(channels="max"), "'max' is not a way to reduce channels; did you mean 'max_abs'"),
        (dict(upsampling="linear"), "'linear' is not an upsampling; did you mean 'bilinear'"),
        (dict(method="integrated_gradients", quadrature="simpson"), "'simpson' is not a quadrature"),
        (dict(method="integrated_gradients", samples=0), "at least one sample; samples was 0"),
        (dict(method="integrated_gradients", quadrature="trapezoid", samples=1), "at least two samples"),
        (dict(method="smooth_grad"), "SmoothGrad draws at random; give it a key"),
        (dict(method="smooth_grad", noise=-1.0), "not negative; it was -1"),
        (dict(method="smooth_grad", base="gradient"), "base is a method, as build"),
        (dict(method="smooth_grad", base=build("guided_ig")), "is a stepwise method, which cannot be smoothed"),
        (dict(method="guided_ig", fraction=2.0), "fraction is a number from 0 to 1; it was 2"),
        (dict(method="guided_ig", steps=0), "at least one step"),
        (dict(method="blur_ig", max_sigma=0.0), "must be positive; it was 0"),
        (dict(method="neuron_gradient", unit=(0, 0)), "A unit of 'relu2' is an index"),
        (dict(method="neuron_gradient", layers="all"), "needs one layer; there were 5"),
        (dict(method="grad_cam_pp", variant="eq11"), "'eq11' is not a variant of grad_cam_pp"),
        (dict(method="grad_cam_pp", variant="eq10", of="logit"), "are zero; ask for of="),
        (dict(method="grad_cam_pp", variant="eq10", targets=jnp.prod), "is nonlinear in it, by prod"),
        (dict(layers="all", upsampling=None), r"Maps of different shapes, \(8, 8\), .* cannot be fused"),
        (dict(batch_size=0), "batch_size was 0"),
        (dict(method="integrated_gradients", batch_size=0), "batch_size was 0"),
        (dict(targets=lambda logits: logits), r"gives one number; this one gave shape \(3,\)"),
        (dict(targets=lambda logits: "boot"), "gives one number; this one gave the kind str"),
        (dict(method="smooth_grad", key=jnp.ones(2)), "give it a key, .*; this is Array"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(tiny, images, ask, text):
    ask = {"method": "grad_cam", "images": images, "targets": 1} | ask
    with pytest.raises(InputError, match=text):
        attribute(ask.pop("method"), *tiny, ask.pop("images"), ask.pop("targets"), **ask)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: dict(layers=-1), "The layer 'logits' has no spatial extent"),
        (lambda: dict(layers=("conv1", None)), r"given by name or number, .*; these were \('conv1', None\)"),
        (lambda: dict(method="layer_conductance", layers=2.5), "these were 2.5"),
        (lambda: dict(method=build("grad_cam", layers=b"1")), "these were b'1'"),
        (lambda: dict(method="neuron_gradient", unit=3), r"an index into \(4, 4, 5\); it was 3"),
        (lambda: dict(targets=Unit("relu2", 3)), r"an index into \(4, 4, 5\); it was 3"),
        (lambda: dict(targets=Unit(-1, (0, 0, 0))), r"A unit of 'logits' is an index into \(3,\)"),
        (lambda: dict(channels=1), "'1' is not a way to reduce channels"),
        (lambda: dict(upsampling=2), "'2' is not an upsampling"),
        (lambda: dict(method="grad_cam_pp", variant=19), "'19' is not a variant of grad_cam_pp"),
        (lambda: dict(method="integrated_gradients", quadrature=["left"]), "is not a quadrature"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_said(tiny, images, ask, text, unchecked):
    ask = {"method": "grad_cam", "targets": 1} | ask()
    with pytest.raises(InputError, match=text):
        attribute(ask.pop("method"), *tiny, images, ask.pop("targets"), **ask)


def test_a_fault_of_type_is_a_type_error_too(tiny, images):
    with pytest.raises(TypeError, match="give it a key"):
        attribute("smooth_grad", *tiny, images, 1)
    with pytest.raises(InputTypeError, match="prepare"):
        attribute("gradient", *tiny, np.zeros((2, 8, 8, 3), int), 1)


def test_cam_says_what_stands_between_the_layer_and_the_logits(foreign, images):
    with pytest.raises(InputError, match=r"through the mean over places to one dense layer; here .* comes between"):
        attribute("cam", *foreign, images, 1)


def test_cam_names_it_as_the_model_has_it_not_its_fast_form(images):
    model, variables = CNN(), jax.jit(CNN().init)(KEY, images)
    with pytest.raises(InputError, match=r"here max_pool \(in .*\) comes between"):
        attribute("cam", model, variables, images, 1)


def test_a_missing_argument_of_the_model_is_named(images):
    class Wants(nn.Module):
        @nn.compact
        def __call__(self, x, temperature):
            return nn.Dense(2)(nn.Conv(2, (3, 3))(x).mean((1, 2))) / temperature

    model = Wants()
    variables = model.init(KEY, images, 1.0)
    with pytest.raises(InputError, match="needs an argument 'temperature'"):
        attribute("gradient", model, variables, images, 1)
    cold, warm = (attribute("gradient", model, variables, images, 1, call={"temperature": t}) for t in (1.0, 2.0))
    close(cold, 2 * warm)


class Named(nn.Module):
    """A network with a hidden layer of this name."""

    hidden: str
    bend: Callable = nn.relu

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(2, (3, 3), strides=4, name="conv")(x))
        return nn.Dense(3, name="head")(self.bend(nn.Dense(4, name=self.hidden)(x.mean((1, 2)))))


def test_steps_at_once_give_the_maps_of_steps_in_turn(tiny, images, monkeypatch):
    ask = dict(targets=[0, 1, 2, 0, 1], baseline=0.3, steps=3, batch_size=2)
    in_turn = attribute("guided_ig", *tiny, images, **ask)
    monkeypatch.setattr(steps, "is_in_turn", lambda: False)
    reports = []
    at_once = attribute("guided_ig", *tiny, images, **ask, report=lambda *now: reports.append(now))
    np.testing.assert_allclose(at_once, in_turn, atol=1e-6)
    assert reports == [(1, 3), (2, 3), (3, 3)]  # one call per chunk


def test_layers_that_are_neither_names_nor_numbers_are_said(tiny):
    with pytest.raises(InputTypeError, match="Layers are given by name or number, one or several; these we"):
        choose(-1.0, places(*tiny, (8, 8, 3), {}))


@pytest.mark.parametrize("bend", [nn.relu, nn.tanh])  # by the Jacobian, and by nested derivatives
def test_grad_cam_pp_takes_no_hidden_layer_for_the_logits(images, bend):
    plain, named = Named("hidden", bend), Named("logits", bend)
    params = draw(plain, images)["params"]
    renamed = {"params": {**params, "logits": params["hidden"]}}
    renamed["params"].pop("hidden")
    ask = dict(targets=1, variant="eq10", of="softmax", layers="conv")
    found = attribute("grad_cam_pp", named, renamed, images[:2], **ask)
    np.testing.assert_allclose(found, attribute("grad_cam_pp", plain, {"params": params}, images[:2], **ask), rtol=1e-5)
