"""What runs on accelerators is lowered for them here, with the rewrites of their backends; nothing needs a CPU."""

import re
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cnnviz import METHODS, attribute, fold, logits
from cnnviz.attribution.shapes import options_in
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
NO_CPU = re.compile(r"custom_call @(?!Eigh|Qr|cu|\w*lapack|Sharding|annotate)\w+")


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
    assert not is_on(Rewrite.CONVOLUTIONS, Rewrite.KERNEL_GRADIENT, Rewrite.MICROBATCHES)
    return request.param


def lowered(function, *arguments):
    """The function's program for all platforms, as text."""
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
    assert exported.platforms == PLATFORMS
    return str(exported.mlir_module())


def check_method(name):
    model = Attending() if name.startswith("attention") else Averaged()
    known = options_in(resolve(METHODS, name, "method"))
    options = {option: 3 for option in ("samples", "steps") if option in known}
    asked = {"key": KEY, "data": IMAGES, **options}
    maps = lambda variables, images: attribute(name, model, variables, images, 1, **asked)
    assert not NO_CPU.findall(lowered(maps, model.init(KEY, IMAGES[:1]), IMAGES))


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
    assert not NO_CPU.findall(lowered(*steps(CNN(classes=3), replace(asked, **augmented))))


@pytest.mark.slow
def test_training_of_a_residual_network_is_lowered_for_all_platforms(backend):
    recipe = Recipe(batch_size=4, precision="bfloat16")
    assert not NO_CPU.findall(lowered(*steps(ResNet(classes=3), recipe, (16, 16, 3))))


def test_a_pass_over_data_is_lowered_for_all_platforms(backend):
    model, prepare = Averaged(), Prepare()
    count = lambda state, found, mask: state + (found["relu1"].sum((1, 2)) * mask[:, None]).sum(0)
    zero, pixels = np.zeros(4, np.float32), (255 * IMAGES).astype(np.uint8)
    total = lambda variables, images: fold(
        model, variables, images, ["relu1"], zero, count, jnp.add, prepare=prepare, batch_size=2
    )
    variables = model.init(KEY, IMAGES[:1])
    assert not NO_CPU.findall(lowered(total, variables, pixels))
    assert not NO_CPU.findall(lowered(lambda variables, images: logits(model, variables, images), variables, IMAGES))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_training_multiplies_in_the_precision_of_its_recipe(precision):
    step, state = steps(CNN(classes=3), Recipe(batch_size=4, precision=precision))
    products = re.findall(r"stablehlo\.(?:dot_general|convolution)\b.*", jax.jit(step).lower(state).as_text())
    wanted = "HIGH" if precision == "tensorfloat32" else "HIGHEST"
    assert products
    assert all(re.search(rf"[\[ ]#?(?:stablehlo<precision )?{wanted}\b", product) for product in products), products
    assert any("bf16" in product for product in products) == (precision == "bfloat16")
