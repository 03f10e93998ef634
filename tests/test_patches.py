"""The patches of a unit are where its largest values, or relevances, are, and what they depend on."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cnnviz import probe, units
from cnnviz.attribution import attribute
from cnnviz.errors import InputError

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (24, 9, 8, 1), np.uint8)
IMAGES[17] = IMAGES[4]  # a tie


class Small(nn.Module):
    """A convolution at stride 2 with its ReLU, and two heads."""

    heads: int = 1

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (3, 3), strides=2, padding=1, name="conv")(x))
        self.sow("intermediates", "relu", x)
        flat = x.reshape(len(x), -1)
        answers = [nn.Dense(4, name=f"head{i}")(flat) for i in range(self.heads)]
        return answers[0] if self.heads == 1 else {"left": answers[0], "right": answers[1]}


def prepare(pixels):
    return pixels.astype(jnp.float32) / 255


def made(model, shape=IMAGES.shape[1:]):
    return model, jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, *shape)))


def patches(net, images, layer, **options):
    return units.patches(net[0], net[1], images, layer, **options)


@pytest.fixture(scope="module")
def net():
    return made(Small())


@pytest.fixture(scope="module")
def found(net):
    return patches(net, IMAGES, "relu", k=4, prepare=prepare)


def test_images_places_and_windows_are_those_found_by_hand(net, found):
    values = np.asarray(probe.activations(net[0], net[1], IMAGES, "relu", prepare=prepare)["relu"])  # [24 5 4 3]
    flat = values.reshape(len(IMAGES), -1, 3)
    for unit in range(3):
        order = np.argsort(-flat[..., unit].max(1), kind="stable")[:4]
        assert found.images[:, unit].tolist() == order.tolist()
        np.testing.assert_allclose(found.values[:, unit], flat[order, :, unit].max(1), rtol=1e-6)
        for k, image in enumerate(order):
            y, x = np.unravel_index(flat[image, :, unit].argmax(), values.shape[1:3])
            assert found.places[k, unit].tolist() == [y, x]
            rows, columns = (max(0, 2 * y - 1), min(9, 2 * y + 2)), (max(0, 2 * x - 1), min(8, 2 * x + 2))
            assert found.windows[k, unit].tolist() == [list(rows), list(columns)]
            np.testing.assert_array_equal(found.of(unit)[k], IMAGES[image, slice(*rows), slice(*columns)])
    assert found.exact
    assert found.size == (3, 3)


def test_of_equal_images_the_first_comes_first(net):
    top = patches(net, IMAGES[[4, 17, 4]], "relu", k=3, prepare=prepare)
    assert (top.images == np.arange(3)[:, None]).all()


def test_the_mean_patch_is_weighted_by_value_and_the_mean_image_is_taken_away(found):
    for unit in range(3):
        lying, weights = np.full((4, 3, 3, 1), np.nan), found.values[:, unit].astype(float)
        usual = lying.copy()
        for k, ((top, bottom), (left, right)) in enumerate(found.windows[:, unit]):
            at = np.s_[k, 3 - (bottom - top) if top == 0 else 0 :, 3 - (right - left) if left == 0 else 0 :]
            at = (
                *at[:1],
                slice(at[1].start, at[1].start + bottom - top),
                slice(at[2].start, at[2].start + right - left),
            )
            lying[at] = IMAGES[found.images[k, unit], top:bottom, left:right]
            usual[at] = IMAGES.mean(0)[top:bottom, left:right]
        np.testing.assert_array_equal(found.aligned(unit), lying)
        own = weights[:, None, None, None]
        with np.errstate(invalid="ignore"):
            mean, other = (np.nansum(x * own, 0) / (~np.isnan(x) * own).sum(0) for x in (lying, usual))
            np.testing.assert_allclose(found.mean(unit), mean)
            np.testing.assert_allclose(found.apart(unit), mean - other, atol=1e-9)


@pytest.mark.parametrize("batch_size", [5, None])
def test_relevant_images_are_those_of_lrp_at_the_layer(net, batch_size):
    found = patches(net, IMAGES, "relu", k=4, by="relevance", prepare=prepare, batch_size=batch_size)
    options = {"composite": "epsilon_plus", "at": "relu", "channels": "keep", "upsampling": None}
    maps = np.asarray(attribute("lrp", net[0], net[1], prepare(IMAGES), "predicted", **options)).reshape(
        len(IMAGES), -1, 3
    )
    for unit in range(3):
        order = np.argsort(-maps[..., unit].max(1), kind="stable")[:4]
        assert found.images[:, unit].tolist() == order.tolist()
        np.testing.assert_allclose(found.values[:, unit], maps[order, :, unit].max(1), rtol=1e-4)
        assert found.places[0, unit].tolist() == list(np.unravel_index(maps[order[0], :, unit].argmax(), (5, 4)))
    assert found.by == "relevance"
    by_value = patches(net, IMAGES, "relu", k=4, prepare=prepare)
    assert (found.images != by_value.images).any()


def test_a_dense_layer_saw_the_entire_image(net):
    found = patches(net, IMAGES, "head0", units=[2], k=3, prepare=prepare)
    assert found.windows[:, 0].tolist() == [[[0, 9], [0, 8]]] * 3
    assert found.exact
    assert found.of(2)[1].shape == (9, 8, 1)
    with pytest.raises(InputError, match="of the units"):
        found.of(0)


def test_a_unit_that_is_never_positive_has_equal_weights(net):
    variables = jax.tree.map(jnp.array, net[1])
    variables["params"]["conv"]["bias"] = variables["params"]["conv"]["bias"].at[1].set(-100)
    found = units.patches(net[0], variables, IMAGES, "relu", k=4, prepare=prepare)
    assert found.weights(1).tolist() == [0.25] * 4
    assert found.images[:, 1].tolist() == [0, 1, 2, 3]  # all values are zero
    assert np.isfinite(found.apart(1)[1:, 1:]).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"k": 25}, "The top 25 images cannot be had of 24"),
        ({"k": 0}, "k was 0"),
        ({"layer": "rely"}, "did you mean 'relu'"),
        ({"layer": "conv,relu"}, "Patches are of the units of one layer"),
        ({"units": [3]}, "relu has no unit 3; its 3 units go from 0 to 2, nearest is 2"),
        ({"by": "relevence"}, "did you mean 'relevance'"),
        ({"images": np.zeros((2, 9, 9, 1), np.uint8), "k": 1}, "do not fit"),
    ],
)
def test_what_cannot_be_is_said(net, change, text):
    given = {"layer": "relu", "images": IMAGES, "prepare": prepare} | change
    with pytest.raises(InputError, match=text):
        patches(net, given.pop("images"), given.pop("layer"), **given)


@pytest.mark.parametrize("by", ["value", "relevance"])
def test_a_nan_is_named(net, by):
    variables = jax.tree.map(jnp.array, net[1])
    variables["params"]["conv"]["bias"] = variables["params"]["conv"]["bias"].at[2].set(jnp.nan)
    with pytest.raises(InputError, match=r"relu.*in channel (2|0) for image 0"):
        units.patches(net[0], variables, IMAGES, "relu", by=by, prepare=prepare)


def test_an_image_that_prepare_resizes_is_shown_as_it_is_prepared(net):
    larger = np.repeat(np.repeat(IMAGES, 2, 1), 2, 2)
    halved = lambda pixels: prepare(pixels[:, ::2, ::2])
    found = patches(net, larger, "relu", k=2, prepare=halved)
    assert found.of(0)[0].dtype == np.float32
    np.testing.assert_allclose(found.mean_image, prepare(IMAGES).mean(0), rtol=1e-5)


def test_two_heads_each_say_what_is_relevant():
    net = made(Small(heads=2))
    left, right = (
        patches(net, IMAGES, "relu", k=4, by="relevance", prepare=prepare, output=head) for head in ("left", "right")
    )
    assert (left.images != right.images).any()
    by_value = patches(net, IMAGES, "relu", k=4, prepare=prepare)
    assert by_value.images.shape == (4, 3)


class Module(nnx.Module):
    """A convolution of three channels."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 2, (3, 3), rngs=rngs)
        self.dense = nnx.Linear(2, 3, rngs=rngs)

    def __call__(self, x):
        return self.dense(jax.nn.relu(self.conv(x)).mean((1, 2)))


def test_an_nnx_module_of_color_images():
    model, variables = probe.from_nnx(Module(nnx.Rngs(0)))
    images = DRAW.integers(0, 256, (6, 7, 7, 3), np.uint8)
    for by in ("value", "relevance"):
        found = units.patches(model, variables, images, "conv", k=2, by=by, prepare=prepare)
        assert found.size == (3, 3)
        assert found.mean(1).shape == (3, 3, 3)


def residual(x, channels):
    y = nn.Conv(channels, (3, 3), strides=2)(x)
    return nn.relu(nn.Conv(channels, (3, 3))(nn.relu(y)) + nn.Conv(channels, (1, 1), strides=2)(x))


class Residual(nn.Module):
    """Two blocks with shortcuts of stride 2."""

    @nn.compact
    def __call__(self, x):
        x = residual(residual(x, 4), 4)
        self.sow("intermediates", "block", x)
        return nn.Dense(3)(x.mean((1, 2)))


def test_a_residual_network_has_the_windows_of_its_longest_branch():
    images = DRAW.integers(0, 256, (6, 40, 40, 1), np.uint8)
    found = patches(made(Residual(), (40, 40, 1)), images, "block", k=6, prepare=prepare)
    assert found.exact
    # 3x3, stride 2, twice in a block: 7 pixels after the first block, and each step of the second one is 2 pixels
    assert found.size == (19, 19)
