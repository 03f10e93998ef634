"""What runs on accelerators is lowered for them here, with the rewrites of their backends; nothing needs a CPU."""

import re
from dataclasses import fields, replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cnnviz import METHODS, attribute, fold, logits
from cnnviz.commands.console import multiply_in_float32
from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet
from cnnviz.networks import Prepare
from cnnviz.registry import resolve
from cnnviz.training.advance import at_once
from cnnviz.training.feed import feed_of
from cnnviz.training.members import member
from cnnviz.training.mesh import here
from cnnviz.training.recipe import PRECISIONS, RECIPES, Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

PLATFORMS = ("tpu", "cuda", "cpu")
KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype(np.float32)
QUICK = ("gradient", "grad_cam", "integrated_gradients", "lrp_epsilon", "guided_ig", "kernel_shap")
CALL = re.compile(r"custom_call @(\w+)")
OWN = {  # what a platform's custom calls begin with
    "tpu": ("Eigh", "Qr", "ProductOfElementaryHouseholderReflectors", "Sharding", "annotate"),
    "cuda": ("cu", "Sharding", "annotate"),
    "cpu": ("lapack", "Sharding", "annotate"),
}
OF_CPUS = (
    Rewrite.BOXES,
    Rewrite.COMPILER_OPTIONS,
    Rewrite.CONVOLUTIONS,
    Rewrite.KERNEL_GRADIENT,
    Rewrite.LANES,
    Rewrite.MICROBATCHES,
    Rewrite.REDUCTIONS,
)


class Averaged(nn.Module):
    """Goes through the mean over places to one dense layer, as CAM needs it."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv1")(x))
        self.sow("intermediates", "relu1", x)
        return nn.Dense(3, name="logits")(x.mean((1, 2)))


class Attending(nn.Module):
    """Attention between the places of a convolution."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (4, 4), strides=4, name="stem")(x).reshape(len(x), -1, 4)
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, name="attention")(x, x)
        return nn.Dense(3, name="logits")(x.mean(1))


@pytest.fixture(params=["tpu", "gpu"])
def backend(request, monkeypatch):
    """This process traces as one would whose devices are of this kind."""
    monkeypatch.setattr(jax, "default_backend", lambda: request.param)
    assert not is_on(*OF_CPUS)
    return request.param


def strangers(function, *arguments):
    """The custom calls of the function's program that are another platform's; one for all platforms is lowered, too."""
    compiled = jax.jit(function)
    assert export.export(compiled, platforms=PLATFORMS)(*arguments).platforms == PLATFORMS
    programs = {name: str(export.export(compiled, platforms=(name,))(*arguments).mlir_module()) for name in PLATFORMS}
    return [call for name in PLATFORMS for call in CALL.findall(programs[name]) if not call.startswith(OWN[name])]


LAPACK = jax.ffi.ffi_call("lapack_sgeev_ffi", jax.ShapeDtypeStruct((3, 3), jnp.float32))


def test_a_call_of_a_cpu_s_library_is_found_unless_only_a_cpu_comes_to_it():
    assert strangers(LAPACK, jnp.eye(3)) == ["lapack_sgeev_ffi"] * 2  # for TPU and CUDA
    elsewhere = lambda x: jax.lax.platform_dependent(x, cpu=LAPACK, default=lambda x: x)
    assert strangers(elsewhere, jnp.eye(3)) == []
    assert strangers(lambda x: jnp.linalg.qr(x)[0], jnp.eye(3)) == []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jax.pure_callback(np.asarray, x, x),
        lambda x: jax.scipy.linalg.schur(x)[0],
        jax.ffi.ffi_call("of_this_machine", jax.ShapeDtypeStruct((3, 3), jnp.float32)),
    ],
    ids=["a callback", "what JAX has for CPUs alone", "a library of one's own"],
)
def test_what_other_platforms_do_not_have_is_not_lowered(function):
    with pytest.raises((NotImplementedError, ValueError)):
        strangers(function, jnp.eye(3))


def check_method(name):
    model = Attending() if name.startswith("attention") else Averaged()
    known = {field.name for field in fields(resolve(METHODS, name, "method"))}
    options = {option: 3 for option in ("samples", "steps") if option in known}
    asked = {"key": KEY, "data": IMAGES, **options}
    maps = lambda variables, images: attribute(name, model, variables, images, 1, **asked)
    assert not strangers(maps, model.init(KEY, IMAGES[:1]), IMAGES)


@pytest.mark.parametrize("name", QUICK)
def test_a_method_is_lowered_for_all_platforms(name, backend):
    check_method(name)


@pytest.mark.slow
def test_every_method_is_lowered_for_all_platforms(backend):
    for name in METHODS:
        check_method(name)


def steps(model, recipe, shape=(8, 8, 1), count=2):
    """Several steps in one call, and the state that they start from, as on an accelerator."""
    draw = np.random.default_rng(0)
    feed = feed_of(draw.integers(0, 256, (16, *shape), np.uint8), draw.integers(0, 3, 16, np.int32), here())
    advance = at_once(make_step(model, recipe, Prepare(), steps=4), [member(0, 16, recipe)], feed)
    rows = {0: np.arange(count * 4).reshape(count, 4)}
    return lambda state: advance([state], rows)[0], initial_state(model, recipe, shape, KEY)


@pytest.mark.parametrize("recipe", ["classic", "fast", "best"])
def test_training_is_lowered_for_all_platforms(recipe, backend):
    asked = replace(RECIPES[recipe], batch_size=4, epochs=4)
    augmented = {"flip": True, "erase": 0.5, "crop": 0.5} if recipe == "best" else {}
    assert not strangers(*steps(CNN(classes=3), replace(asked, **augmented)))


@pytest.mark.slow
def test_training_of_a_residual_network_is_lowered_for_all_platforms(backend):
    recipe = Recipe(batch_size=4, precision="bfloat16")
    assert not strangers(*steps(ResNet(classes=3), recipe, (16, 16, 3)))


def test_a_pass_over_data_is_lowered_for_all_platforms(backend):
    model, prepare = Averaged(), Prepare()
    count = lambda state, found, mask: state + (found["relu1"].sum((1, 2)) * mask[:, None]).sum(0)
    zero, pixels = np.zeros(4, np.float32), (255 * IMAGES).astype(np.uint8)
    total = lambda variables, images: fold(
        model, variables, images, ["relu1"], zero, count, jnp.add, prepare=prepare, batch_size=2
    )
    variables = model.init(KEY, IMAGES[:1])
    assert not strangers(total, variables, pixels)
    assert not strangers(lambda variables, images: logits(model, variables, images), variables, IMAGES)


@pytest.mark.parametrize(("asked", "found"), [(None, "float32"), ("bfloat16", "bfloat16")])
def test_the_command_line_multiplies_in_float32_unless_jax_is_told_otherwise(asked, found):
    before = jax.config.jax_default_matmul_precision
    try:
        jax.config.update("jax_default_matmul_precision", asked)
        multiply_in_float32()
        assert jax.config.jax_default_matmul_precision == found
    finally:
        jax.config.update("jax_default_matmul_precision", before)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_training_multiplies_in_the_precision_of_its_recipe(precision):
    step, state = steps(CNN(classes=3), Recipe(batch_size=4, precision=precision))
    products = re.findall(r"stablehlo\.(?:dot_general|convolution)\b.*", jax.jit(step).lower(state).as_text())
    wanted = "HIGH" if precision == "tensorfloat32" else "HIGHEST"
    assert products
    assert all(re.search(rf"[\[ ]#?(?:stablehlo<precision )?{wanted}\b", product) for product in products), products
    assert any("bf16" in product for product in products) == (precision == "bfloat16")
