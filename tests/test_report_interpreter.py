"""The page's interpreter, run by node, computes what JAX does."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import data, networks
from cnnviz.attribution import attribute
from cnnviz.networks import build
from cnnviz.probe import activations, logits, network_of
from cnnviz.report import weights
from cnnviz.report.graph_json import program
from cnnviz.report.primitives import SUPPORTED
from cnnviz.types import Outputs

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "cnnviz" / "report" / "page"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def in_the_page(net, images, folder, kind="float32", **job):
    """What the interpreter answers for these images: `[n, values]` for each name in `answers`."""
    made = program(net)
    packed = made.weights(net.variables, kind)
    job = {"graph": made.graph, "entries": packed.entries, "pixels": images.dtype == np.uint8, "changes": [], **job}
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "weights.bin").write_bytes(packed.data)
    (folder / "images.bin").write_bytes(np.ascontiguousarray(images).tobytes())
    subprocess.run([str(NODE), str(ROOT / "tests" / "interpreter.mjs"), str(folder)], check=True, timeout=600)
    read = lambda name: np.fromfile(folder / f"{name}.bin", np.float32).reshape(len(images), -1)
    return {name: read(name) for name in job["answers"]}


def concatenated(x):
    return jnp.concatenate([nn.relu(nn.Conv(3, (1, 1))(x)), nn.avg_pool(x, (3, 3), (1, 1), "SAME"), -x[:, ::-1]], -1)


def squeezed(x):
    gate = nn.sigmoid(nn.Dense(6)(nn.silu(nn.Dense(2)(x.mean((1, 2))))))
    return x * gate[:, None, None, :]


EACH = 4  # logits of a branch
MAPS = ("gradient", "grad_cam")
INSIDES = {
    "strides": lambda x: nn.relu(nn.Conv(5, (3, 3), (2, 2))(x)),
    "strides, not square": lambda x: nn.tanh(nn.Conv(5, (5, 2), (3, 1), padding=[(2, 0), (1, 3)])(x)),
    "depthwise": lambda x: nn.relu(nn.Conv(12, (3, 3), feature_group_count=6)(x)),
    "groups": lambda x: nn.relu(nn.Conv(8, (3, 3), feature_group_count=2)(x)),
    "dilation": lambda x: nn.elu(nn.Conv(5, (3, 3), kernel_dilation=2)(x)),
    "transposed": lambda x: nn.leaky_relu(nn.ConvTranspose(5, (3, 3), (2, 2))(x)),
    "average pooling": lambda x: nn.avg_pool(nn.relu(x), (2, 2), (2, 2)),
    "overlapping pooling": lambda x: nn.max_pool(x, (3, 3), (2, 2), "SAME"),
    "least pooling": lambda x: -nn.max_pool(-x, (2, 2), (2, 1), "SAME"),
    "batch norm": lambda x: nn.relu(nn.BatchNorm(use_running_average=True)(x)),
    "layer norm": lambda x: nn.LayerNorm()(x),
    "group norm": lambda x: nn.GroupNorm(3)(x),
    "concatenation": concatenated,
    "gelu": lambda x: nn.gelu(x, approximate=False),
    "tanh gelu": lambda x: nn.gelu(x),
    "softplus": lambda x: nn.softplus(x) + nn.relu6(x) + nn.hard_swish(x) + nn.selu(x),
    "squeeze and excitation": squeezed,
    "standardized": lambda x: (x - x.mean((1, 2), keepdims=True)) / (x.std((1, 2), keepdims=True) + 1e-3),
    "logarithms": lambda x: jnp.log1p(jnp.abs(x)) + jnp.sqrt(x**2 + 1) + jnp.minimum(x, 0.1) ** 3,
    "cut and padded": lambda x: jnp.pad(x[:, 1:-2, ::2], ((0, 0), (2, 1), (0, 3), (0, 0))),
    "bfloat16": lambda x: nn.relu(nn.Conv(5, (3, 3), dtype=jnp.bfloat16)(x)).astype(jnp.float32),
}


TARGETS = np.arange(len(INSIDES)) * EACH + 2


class Branches(nn.Module):
    """One convolution, then each of INSIDES by itself, with logits of its own."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(6, (3, 3), name="conv")(x)
        ends = [inside(x).mean((1, 2)) for inside in INSIDES.values()]
        return jnp.concatenate([nn.Dense(EACH, name=f"dense{i}")(end) for i, end in enumerate(ends)], -1)


@pytest.fixture(scope="module")
def pictures():
    return np.asarray(np.random.default_rng(3).uniform(size=(2, 9, 8, 3)), np.float32)


def drawn(model, images, **options):
    """A network of this model whose variables are drawn by NumPy, so that nothing is compiled; none is zero."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    rng = np.random.default_rng(0)
    positive = lambda shape: 0.1 + np.abs(rng.normal(0, 0.3, shape))
    draw = lambda leaf: positive(leaf.shape) if leaf.ndim < 2 else rng.normal(0, 0.3, leaf.shape)
    variables = jax.tree.map(lambda leaf: jnp.asarray(draw(leaf), jnp.float32), shapes)
    return networks.open(model, variables, image_shape=images.shape[1:], **options)


@pytest.fixture(scope="module")
def branches(pictures):
    return drawn(Branches(), pictures)


@pytest.fixture(scope="module")
def in_jax(branches, pictures):
    """Logits `[n, k]`; for one logit of each branch the gradient and Grad-CAM of `conv`, `[n, branches, ...]`."""
    network = network_of(branches.model, branches.variables)

    def one(image):
        zeros = {"conv": jnp.zeros((9, 8, 6))}
        outputs, pullback = jax.vjp(network, image, zeros)
        value = outputs.activations["conv"]
        still = jax.tree.map(jnp.zeros_like, outputs.activations)

        def of(target):
            slope, offsets = pullback(Outputs(jnp.eye(len(outputs.logits))[target], still))
            weights = offsets["conv"].mean((0, 1), keepdims=True)
            return slope, jax.nn.relu((value * weights).sum(-1))

        return outputs.logits, *jax.vmap(of)(TARGETS)

    quickly: Any = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    found, gradients, maps = jax.jit(jax.vmap(one), compiler_options=quickly)(jnp.asarray(pictures))
    return {"logits": found, "gradient": gradients, "grad_cam": maps}


@pytest.fixture(scope="module")
def in_page(branches, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("branches")
    targets = TARGETS.tolist()
    return in_the_page(branches, pictures, folder, answers=["logits", *MAPS], targets=targets, layer="conv")


@needs_node
@pytest.mark.parametrize("place", range(len(INSIDES)), ids=list(INSIDES))
def test_logits_and_gradients_are_those_of_jax(place, in_page, in_jax):
    tolerance = 5e-3 if list(INSIDES)[place] == "bfloat16" else 2e-5
    found, wanted = (np.asarray(each["logits"])[:, place * EACH : (place + 1) * EACH] for each in (in_page, in_jax))
    assert np.abs(found - wanted).max() <= tolerance * max(1, np.abs(wanted).max())
    for name in MAPS:
        maps = np.asarray(in_jax[name])[:, place].reshape(len(wanted), -1)
        found = in_page[name].reshape(len(wanted), len(INSIDES), -1)[:, place]
        assert np.abs(maps).max() > 0, name
        assert np.abs(found - maps).max() <= tolerance * max(1, np.abs(maps).max()), name


class Pooled(nn.Module):
    """Small, with a unit to switch off."""

    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.relu(nn.Conv(6, (3, 3), name="conv")(x)), (3, 3), (2, 2), "SAME")
        return nn.Dense(4)(x.reshape(len(x), -1))


@pytest.fixture(scope="module")
def small(pictures):
    return drawn(Pooled(), pictures)


@needs_node
def test_input_x_gradient_and_integrated_gradients_are_those_of_jax(small, pictures, tmp_path):
    options = {"input_x_gradient": {}, "integrated_gradients": {"samples": 16}}
    found = in_the_page(small, pictures, tmp_path, answers=list(options), targets=[1], samples=16)
    for name, given in options.items():
        given = {"key": jax.random.key(0), "channels": "keep", **given}
        values = attribute(name, small.model, small.variables, jnp.asarray(pictures), 1, **given)
        values = np.asarray(values).reshape(2, -1)
        np.testing.assert_allclose(found[name], values, atol=2e-5 * np.abs(values).max())


@needs_node
def test_a_unit_that_is_switched_off_changes_what_it_changes_in_jax(small, pictures, tmp_path):
    change = {"layer": "conv", "channel": 2, "factor": 0, "shift": 0.5}
    found = in_the_page(small, pictures, tmp_path, answers=["logits"], changes=[change])["logits"]
    network = jax.jit(network_of(small.model, small.variables))
    for image, row in zip(pictures, found, strict=True):
        value = network(image, {"conv": jnp.zeros((9, 8, 6))}).activations["conv"]
        offset = jnp.zeros_like(value).at[..., 2].set(0.5 - value[..., 2])
        np.testing.assert_allclose(row, network(image, {"conv": offset}).logits, atol=2e-5)


@pytest.fixture(scope="module")
def default():
    return drawn(build("cnn", {}, 10, (28, 28, 1)), np.zeros((1, 28, 28, 1), np.float32))


@needs_node
def test_every_layer_is_that_of_jax_in_the_default_network(default, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    values = activations(default.model, default.variables, default.prepare(images))
    found = in_the_page(default, images, tmp_path, answers=["layers"])["layers"]
    wanted = np.concatenate([np.asarray(value).reshape(2, -1) for value in values.values()], 1)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


@needs_node
def test_pixels_go_through_the_networks_own_preparation(small, tmp_path):
    images = np.arange(2 * 9 * 8 * 3, dtype=np.uint16).astype(np.uint8).reshape(2, 9, 8, 3)
    prepare = networks.Prepare(1 / 255, (0.4, 0.5, 0.6), (0.2, 0.3, 0.7))
    net = replace(small, prepare=prepare)
    found = in_the_page(net, images, tmp_path, answers=["logits"])["logits"]
    np.testing.assert_allclose(found, logits(net.model, net.variables, prepare(images)), atol=5e-5)


@needs_node
@pytest.mark.parametrize(("kind", "tolerance"), [("float16", 2e-3), ("int8", 3e-2)])
def test_quantized_weights_keep_to_their_tolerance(kind, tolerance, default, tmp_path):
    """Stated in docs/report.md: relative to the largest logit."""
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    found = in_the_page(default, images, tmp_path, kind, answers=["logits"])["logits"]
    wanted = np.asarray(logits(default.model, default.variables, default.prepare(images)))
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert 1e-6 < error < tolerance


@needs_node
@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(("model", "count"), [("cnn", 1000), ("resnet", 200)])
def test_test_images_have_the_class_that_jax_gives_them(model, count, tmp_path):
    images = data.load("fashion_mnist").test.images[:count]
    net = drawn(build(model, {}, 10, (28, 28, 1)), np.zeros((1, 28, 28, 1), np.float32))
    _same_classes(net, images, tmp_path)


@needs_node
@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(
    "CNNVIZ_KERAS_SEED" not in os.environ, reason="CNNVIZ_KERAS_SEED does not point to best-cnn-model.h5"
)
def test_a_keras_file_gives_a_thousand_test_images_the_class_that_jax_does(tmp_path):
    _same_classes(
        networks.open(os.environ["CNNVIZ_KERAS_SEED"]), data.load("fashion_mnist").test.images[:1000], tmp_path
    )


def _same_classes(net, images, folder):
    found = in_the_page(net, images, folder, answers=["logits"])["logits"]
    wanted = np.asarray(logits(net.model, net.variables, images, prepare=net.prepare))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-3)
    assert (found.argmax(1) == wanted.argmax(1)).all()


def test_packed_weights_come_back(pictures):
    wide = np.array([[1.5, -200], [0, 3]] * 32, np.float32)
    arrays = [wide, np.array([True, False]), np.array([np.inf, 2], np.float32), np.array([7], np.int32)]
    shapes = [array.shape for array in arrays]
    for kind, close in {"float32": 0, "float16": 1e-3, "int8": 1 / 254}.items():
        back = weights.unpacked(weights.packed(arrays, kind), shapes)
        for one, other in zip(arrays, back, strict=True):
            largest = np.abs(one).max(initial=0, where=np.isfinite(one))
            np.testing.assert_allclose(one, other, rtol=0, atol=close * largest)


def test_a_model_with_a_primitive_that_the_page_lacks_is_named(pictures):
    class Sorted(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(jnp.sort(x, axis=-1).mean((1, 2)))

    found = program(drawn(Sorted(), pictures))
    assert found.graph is None
    assert found.missing == ("sort",)


def test_the_interpreter_has_the_primitives_that_it_is_said_to_have():
    text = (PAGE / "interpreter" / "operations.js").read_text()
    inside = text.partition("OPERATIONS = {")[2]
    assert set(re.findall(r"^  (\w+)[:,(]", inside, re.MULTILINE)) == SUPPORTED
