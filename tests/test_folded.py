"""Values in which images share an axis with windows, frames, rows or crops have a name and a row for each image."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import names_of_layers

from cnnviz import probe, units
from cnnviz.attribution import Unit, attribute, layers
from cnnviz.graph import Graph
from cnnviz.propagation.steps import read

KEY = jax.random.key(0)
PICTURES = jax.random.uniform(jax.random.key(1), (3, 8, 8, 3))
FILMS = jax.random.uniform(jax.random.key(2), (3, 5, 8, 8, 2))


class Windowed(nn.Module):
    """A block of Swin's: attention in windows of maps that are shifted, then a network of each place."""

    shift: int = 0
    window: int = 3
    heads: int = 2

    @nn.compact
    def __call__(self, x):
        n, h, w, c = x.shape
        size, shift = self.window, self.shift
        y = nn.LayerNorm()(x)
        y = jnp.pad(y, ((0, 0), (0, -h % size), (0, -w % size), (0, 0)))
        y = jnp.roll(y, (-shift, -shift), (1, 2))
        across = (y.shape[1] // size, y.shape[2] // size)
        y = y.reshape(n, across[0], size, across[1], size, c).transpose(0, 1, 3, 2, 4, 5).reshape(-1, size * size, c)
        q, k, v = jnp.split(nn.Dense(3 * c, name="qkv")(y).reshape(*y.shape[:2], self.heads, -1), 3, axis=-1)
        between = jnp.einsum("bqhd,bkhd->bhqk", q, k)
        between = between + self.param("bias", nn.initializers.normal(), (1, self.heads, size**2, size**2))
        if shift:
            mask = np.zeros((across[0] * across[1], size**2, size**2), np.float32)
            mask[-1, ::2, 1::2] = -100
            apart = between.reshape(n, -1, *between.shape[1:]) + mask[None, :, None]
            between = apart.reshape(between.shape)
        weights = nn.softmax(between)
        y = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(y.shape)
        y = nn.Dense(c, name="proj")(y).reshape(n, *across, size, size, c).transpose(0, 1, 3, 2, 4, 5)
        y = jnp.roll(y.reshape(n, across[0] * size, across[1] * size, c), (shift, shift), (1, 2))[:, :h, :w]
        x = x + y
        return x + nn.Dense(c, name="out")(nn.gelu(nn.Dense(2 * c, name="in")(nn.LayerNorm()(x))))


class Swin(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (1, 1), name="embed")(x)
        x = Windowed(name="plain")(x)
        x = Windowed(1, name="shifted")(x)
        return nn.Dense(3, name="head")(x.mean((1, 2)))


class Distributed(nn.Module):
    """The same convolution of each frame."""

    @nn.compact
    def __call__(self, x):
        n, t = x.shape[:2]
        y = nn.relu(nn.Conv(4, (3, 3), name="conv")(x.reshape(n * t, *x.shape[2:])))
        y = nn.max_pool(y, (2, 2), strides=(2, 2)).mean((1, 2))
        return nn.Dense(3, name="head")(y.reshape(n, t, -1).max(1))


class Axial(nn.Module):
    """Attention along rows, and then along columns."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (1, 1), name="embed")(x)
        for name in ("rows", "columns"):
            n, h, w, c = x.shape
            y = nn.MultiHeadDotProductAttention(2, name=name)(x.reshape(n * h, w, c))
            x = (x + nn.relu(y).reshape(x.shape)).swapaxes(1, 2)
        return nn.Dense(3, name="head")(x.mean((1, 2)))


class Cropped(nn.Module):
    """The images are the inner index: `[crops*n, ...]`."""

    @nn.compact
    def __call__(self, x):
        y = jnp.concatenate([x[:, :6, :6], x[:, 2:, 2:], x[:, 1:7, 1:7][:, ::-1]])
        y = nn.relu(nn.Conv(4, (3, 3), name="conv")(y)).mean((1, 2))
        return nn.Dense(3, name="head")(y.reshape(3, len(x), -1).mean(0))


class Middle(nn.Module):
    """Groups around the images and places inside them: `[c, groups*n*places]`."""

    @nn.compact
    def __call__(self, x):
        n, h, w, c = x.shape
        y = x.reshape(n, 2, h // 2, w, c).transpose(4, 1, 0, 2, 3).reshape(c, -1)
        y = nn.tanh(y).reshape(c, 2, n, h // 2, w).transpose(2, 1, 3, 4, 0).reshape(x.shape)
        return nn.Dense(3, name="head")(y.mean((1, 2)))


class Mixed(nn.Module):
    """The same shapes as frames have, but each position is of two images, or of another one."""

    kind: str = "before"

    @nn.compact
    def __call__(self, x):
        n, t = x.shape[:2]
        y = x.reshape(n * t, *x.shape[2:])
        if self.kind == "before":
            y = y + jnp.roll(y, 1, 0)
        elif self.kind == "turned":
            y = y[::-1]
        else:
            y = jnp.cumsum(y, 0)
        y = nn.relu(nn.Conv(4, (3, 3), name="conv")(y)).mean((1, 2))
        return nn.Dense(3, name="head")(y.reshape(n, t, -1).max(1))


MODELS = {
    "swin": (Swin(), PICTURES),
    "frames": (Distributed(), FILMS),
    "axial": (Axial(), PICTURES),
    "crops": (Cropped(), PICTURES),
    "middle": (Middle(), PICTURES),
}
INSIDE = {
    "swin": {
        "plain/qkv": (9, 9, 12),
        "plain/matmul_0": (9, 2, 9, 9),
        "plain/softmax": (9, 2, 9, 9),
        "plain/matmul_1": (9, 2, 2, 9),
        "plain/proj": (9, 9, 4),
        "plain/gelu": (8, 8, 8),
        "shifted/softmax": (9, 2, 9, 9),
    },
    "frames": {"conv": (5, 8, 8, 4), "relu": (5, 8, 8, 4), "max_pool": (5, 4, 4, 4), "mean": (5, 4), "max": (4,)},
    "axial": {"rows": (8, 8, 4), "relu_0": (8, 8, 4), "columns/query": (8, 8, 2, 2), "add_0": (8, 8, 4)},
    "crops": {"conv": (3, 6, 6, 4), "relu": (3, 6, 6, 4), "mean_0": (3, 4)},
    "middle": {"tanh": (3, 2, 32)},
}


@pytest.fixture(scope="module")
def networks():
    return {name: (model, model.init(KEY, images), images) for name, (model, images) in MODELS.items()}


for_each = pytest.mark.parametrize("name", MODELS)


@for_each
def test_what_is_inside_has_a_name_and_a_shape_per_image(name, networks):
    model, variables, images = networks[name]
    shapes = {layer.name: layer.shape for layer in probe.layers(model, variables, images.shape[1:])}
    assert {each: shapes.get(each) for each in INSIDE[name]} == INSIDE[name], shapes


@for_each
def test_names_are_the_same_for_other_batches_and_types_and_inside_jit(name, networks):
    model, variables, images = networks[name]
    expected = [layer.name for layer in probe.layers(model, variables, images.shape[1:])]
    batches = images[:1], images[:2], jnp.zeros((7, *images.shape[1:]))
    assert names_of_layers(model, variables, batches, images) == [expected] * 4


@for_each
def test_values_are_those_of_flax_and_of_each_image_alone(name, networks):
    model, variables, images = networks[name]
    found = probe.activations(model, variables, images)
    state = model.apply(variables, images, capture_intermediates=True)[1]["intermediates"]
    paths = jax.tree_util.tree_flatten_with_path(state)[0]
    captured = {"/".join(key.key for key in path[:-2]): value for path, value in paths}
    modules = {layer: value for layer, value in captured.items() if layer in found}
    assert len(modules) >= (1 if name == "middle" else 2)
    for layer, value in modules.items():
        rows = (
            value.reshape(3, len(images), *value.shape[1:]).swapaxes(0, 1)
            if name == "crops" and layer == "conv"
            else value
        )
        np.testing.assert_allclose(found[layer], rows.reshape(found[layer].shape), atol=1e-5)
    for i, image in enumerate(images):
        alone = probe.activations(model, variables, image[None])
        for layer, values in alone.items():
            np.testing.assert_allclose(values[0], found[layer][i], atol=1e-5)


def test_values_by_hand():
    """Golden values of what is inside, computed without windows: each window's numbers by NumPy."""
    variables = Swin().init(KEY, PICTURES)
    found = probe.activations(Swin(), variables, PICTURES)
    kernel, bias = (np.asarray(variables["params"]["shifted"]["qkv"][name]) for name in ("kernel", "bias"))
    maps = np.pad(found["shifted/LayerNorm_0"], ((0, 0), (0, 1), (0, 1), (0, 0)))
    for image in range(3):
        for window in range(9):
            rows = (np.arange(3) + 3 * (window // 3) + 1) % 9
            columns = (np.arange(3) + 3 * (window % 3) + 1) % 9
            tokens = maps[image][np.ix_(rows, columns)].reshape(9, 4)
            expected = tokens @ kernel + bias
            np.testing.assert_allclose(found["shifted/qkv"][image, window], expected, atol=1e-5)
    weights = np.asarray(found["shifted/softmax"])
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert (weights[:, -1, :, ::2, 1::2] < 1e-6).all()
    assert (weights[:, :-1] > 1e-6).all()


@pytest.mark.parametrize(
    ("name", "layer"), [("swin", "shifted/qkv"), ("swin", "plain/proj"), ("frames", "conv"), ("axial", "rows/out")]
)
def test_an_offset_is_added_inside_and_its_gradient_is_the_model_s(name, layer, networks):
    model, variables, images = networks[name]

    def shifted(image, offset):
        def intercept(call, args, kwargs, context):
            output = call(*args, **kwargs)
            here = "/".join(context.module.path) == layer and context.method_name == "__call__"
            return output + offset.reshape(output.shape) if here else output

        with nn.intercept_methods(intercept):
            return model.apply(variables, image[None])[0]

    network = probe.network_of(model, variables)
    shape = network(images[0], {})[1][layer].shape
    offset = jax.random.normal(KEY, shape)
    np.testing.assert_allclose(network(images[0], {layer: offset})[0], shifted(images[0], offset), atol=1e-5)
    found = jax.grad(lambda offset: network(images[0], {layer: offset})[0][1])(offset)
    expected = jax.grad(lambda offset: shifted(images[0], offset)[1])(offset)
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_methods_explain_and_look_at_what_is_inside(networks):
    model, variables, images = networks["frames"]
    maps = attribute("grad_cam", model, variables, images, 1, layers="conv", upsampling=None)
    by_layer = lambda image, offset: probe.network_of(model, variables)(image, {"conv": offset})
    _, values = by_layer(images[0], jnp.zeros((5, 8, 8, 4)))
    slopes = jax.grad(lambda offset: by_layer(images[0], offset)[0][1])(jnp.zeros((5, 8, 8, 4)))
    expected = nn.relu(jnp.einsum("thwc,c->thw", values["conv"], slopes.mean((0, 1, 2))))
    np.testing.assert_allclose(maps[0], expected, atol=1e-6)
    found = attribute("gradient", model, variables, images, Unit("conv", (1, 3, 4, 2)), channels="keep")
    conv = nn.Conv(4, (3, 3)).bind({"params": variables["params"]["conv"]})
    expected = jax.grad(lambda film: conv(film)[1, 3, 4, 2])(images[0])
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


@pytest.mark.parametrize(("name", "layer"), [("frames", "conv"), ("crops", "relu"), ("swin", "shifted/qkv")])
def test_units_inside_are_ablated_and_summed_up(name, layer, networks):
    model, variables, images = networks[name]
    images, labels = np.asarray(images), np.arange(3)
    found = units.ablation(model, variables, images, labels, layer, units=[1])
    values = probe.activations(model, variables, images, layer)[layer]
    offsets = jnp.zeros(values.shape).at[..., 1].set(-values[..., 1])
    logits = jax.vmap(lambda *each: probe.network_of(model, variables)(each[0], {layer: each[1]})[0])(images, offsets)
    lost = -jax.nn.log_softmax(logits)[labels, labels]
    np.testing.assert_allclose(found.loss_without[0], lost, atol=1e-5)
    assert np.abs(found.loss_without[0] - found.loss).max() > 1e-3
    means = units.statistics(model, variables, images, layer)[layer].mean
    np.testing.assert_allclose(np.ravel(means), values.mean(tuple(range(values.ndim - 1))), atol=1e-5)


@for_each
def test_what_a_method_reads_is_the_model_s_own_code(name, networks):
    model, variables, images = networks[name]
    reading = read(probe.score_of(model, variables, 1), images[0])
    own, _ = Graph.of(lambda image: model.apply(variables, image[None])[0, 1], images[0])
    reshapes = lambda graph: sum(node.name == "reshape" for node in graph.needed(graph.outputs))
    assert reshapes(reading.graph) == reshapes(own)


def test_a_window_s_tokens_are_no_sides_of_a_picture(networks):
    places = lambda name, shape: layers.places(networks[name][0], networks[name][1], shape, {})
    found = {each.name: each.spatial for each in places("swin", (8, 8, 3))}
    assert [found[name] for name in ("plain/gelu", "shifted", "plain/qkv", "plain/proj")] == [True, True, False, False]
    found = {each.name: each.spatial for each in places("frames", (5, 8, 8, 2))}
    assert [found[name] for name in ("relu", "max_pool", "mean")] == [True, True, False]
    assert not any(each.spatial or each.tokens for each in places("crops", (8, 8, 3)))


def test_receptive_fields_inside_are_those_of_one_frame_or_row(networks):
    fields = lambda name, shape: {
        each.name: each.receptive_field for each in probe.layers(networks[name][0], networks[name][1], shape)
    }
    found = fields("frames", (5, 8, 8, 2))
    assert [found[name] for name in ("conv", "max_pool", "mean", "max")] == [(1, 3, 3), (1, 4, 4), (1, 8, 8), (5, 8, 8)]
    found = fields("axial", (8, 8, 3))
    assert [found[name] for name in ("rows/query", "rows", "add_0", "columns")] == [(1, 1), (1, 8), (8, 8), (8, 8)]


class Heads(nn.Module):
    """Attention by `@`, which squeezes the axis of a single image, and as many heads as a trace has images."""

    @nn.compact
    def __call__(self, x):
        n, h, w, _ = x.shape
        q, k, v = jnp.split(nn.Dense(12)(x).reshape(n, h * w, 3, 2, 2).transpose(2, 0, 3, 1, 4), 3)
        y = nn.softmax(q[0] @ k[0].swapaxes(-2, -1)) @ v[0]
        return nn.Dense(3, name="head")(y.mean((1, 2)))


def test_an_axis_of_one_image_that_is_squeezed_is_there():
    model, images = Heads(), PICTURES[:, :4, :4]
    variables = model.init(KEY, images)
    expected = probe.activations(model, variables, images)
    assert "matmul_0" in expected
    for i in range(3):
        found = probe.activations(model, variables, images[i : i + 1])
        assert list(found) == list(expected)
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name][i : i + 1], atol=1e-6)
    assert attribute("gradient", model, variables, images, Unit("matmul_1", (1, 3, 0))).any()


class Tokens(nn.Module):
    """Frames through a dense layer, which a check of the images' axis took for a side of the image."""

    @nn.compact
    def __call__(self, x):
        n, t = x.shape[:2]
        y = nn.relu(nn.Dense(4, name="in")(x.reshape(n * t, -1)))
        return nn.Dense(3, name="head")(y.reshape(n, t, -1).mean(1))


def test_frames_through_a_dense_layer_are_read():
    variables = Tokens().init(KEY, FILMS)
    found = {layer.name: layer.shape for layer in probe.layers(Tokens(), variables, FILMS.shape[1:])}
    assert found == {"in": (5, 4), "relu": (5, 4), "mean": (4,), "head": (3,)}


@pytest.mark.parametrize("kind", ["before", "turned", "sum"])
def test_what_is_of_two_images_or_of_another_one_is_no_layer(kind):
    model = Mixed(kind)
    variables = model.init(KEY, FILMS)
    assert [layer.name for layer in probe.layers(model, variables, FILMS.shape[1:])] == ["max", "head"]
