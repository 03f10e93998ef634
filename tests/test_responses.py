"""A kernel beside the map that it makes: the map is the convolution, computed here by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_pictures import DATA, make_dataset, make_run

from cnnviz import interop
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.models.resnet import ResNet
from cnnviz.networks import Net
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.pictures.responses import Responses
from cnnviz.probe.convolved import convolved

COLORS = Data(lambda: make_dataset((32, 32, 3)))


@pytest.fixture(scope="module")
def run():
    return make_run(CNN())


@pytest.fixture(scope="module")
def resnet():
    return make_run(ResNet(channels=8), (32, 32, 3))


def by_hand(image, kernel, bias=0.0):
    """The map of one kernel `[3 3 i]` over an image `[h w i]` with a border of zeros."""
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    h, w, _ = image.shape
    return sum((padded[y : y + h, x : x + w] * kernel[y, x]).sum(-1) for y in range(3) for x in range(3)) + bias


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_map_is_the_image_times_the_kernel_and_then_its_positive_part(run, layer):
    variables = jax.tree.map(np.array, run.variables)
    variables["params"][layer]["bias"][:] = np.linspace(-0.3, 0.3, len(variables["params"][layer]["bias"]))
    biased = Net("a run", run.model, [variables], [], run.image_shape)
    (picture,) = Responses(layer=layer, channels="0,5")([biased], DATA)
    found, parameters = picture.numbers, variables["params"][layer]
    assert found["channels"].tolist() == [0, 5]
    for i, channel in enumerate(found["channels"]):
        expected = by_hand(found["input"], parameters["kernel"][..., channel], parameters["bias"][channel])
        np.testing.assert_allclose(found["before"][i], expected, atol=1e-4)
        np.testing.assert_array_equal(found["after"][i], np.maximum(found["before"][i], 0))
    pixels = DATA.dataset.test.images[0] / 255
    if layer == "conv1":
        np.testing.assert_allclose(found["input"], pixels, atol=1e-6)


def test_rows_have_the_input_the_kernel_and_the_map_on_printed_scales(run):
    (picture,) = Responses(channels="3,7")([run], DATA)
    cells = [ax for ax in picture.draw().axes if ax.images]
    assert len(cells) == 2 * 4
    shown = [np.asarray(ax.images[0].get_array()) for ax in cells]
    weights = np.asarray(run.variables["params"]["conv1"]["kernel"])
    np.testing.assert_array_equal(shown[3], weights[:, :, 0, 7])
    np.testing.assert_allclose(shown[5], picture.numbers["before"][1])
    assert cells[4].images[0].get_clim() == cells[6].images[0].get_clim()
    assert cells[2].images[0].get_clim()[0] == -cells[2].images[0].get_clim()[1]
    end = cells[4].images[0].get_clim()[1]
    assert f"maps on that from −{end:g} to {end:g}" in picture.caption
    assert "before and after relu." in picture.caption


def test_of_many_inputs_the_strongest_is_drawn_and_named(run):
    (picture,) = Responses(layer="conv2", channels="9")([run], DATA)
    weights = np.asarray(run.variables["params"]["conv2"]["kernel"])[..., 9]
    strongest = np.square(weights).sum((0, 1)).argmax()
    figure = picture.draw()
    assert f"channel 9\nfrom {strongest}" in [text.get_text() for text in figure.texts]
    image, kernel = (np.asarray(ax.images[0].get_array()) for ax in figure.axes[::2][:2])
    np.testing.assert_array_equal(kernel, weights[..., strongest])
    np.testing.assert_allclose(image, picture.numbers["input"][..., strongest])


def test_by_default_the_channels_with_the_largest_maps_are_drawn(run):
    (picture,) = Responses()([run], DATA)
    (every,) = Responses(channels="0:16")([run], DATA)
    largest = every.numbers["after"].max((1, 2))
    assert len(picture.numbers["channels"]) == 6
    assert set(np.argsort(-largest)[:1]) <= {*picture.numbers["channels"], *range(16, 32)}
    assert "the 6 channels whose maps have the largest values" in picture.caption


def test_a_block_has_the_map_after_its_own_relu_or_none(resnet):
    first, second = Responses(layer="stage2_block1/conv1,stage2_block1/conv2", channels="0")([resnet], COLORS)
    assert "after" in first.numbers
    assert "after" not in second.numbers  # other values are added before its ReLU
    (colors,) = Responses(channels="0,1")([resnet], COLORS)
    assert np.asarray(colors.draw().axes[0].images[0].get_array()).shape == (32, 32, 3)
    assert "Kernels are red, green and blue, each on the scale from −" in colors.caption
    assert "whose zero is gray; maps on that from −" in colors.caption
    assert "whose zero is gray" not in first.caption
    assert "before and after stage2_block1/norm1 and relu." in first.caption
    assert "before and after norm1 and relu." in colors.caption


def test_a_keras_layer_with_its_activation_is_taken_apart():
    from pathlib import Path

    path = Path(__file__).parent / "goldens" / "keras" / "keras2_chapter.h5"
    model, variables = interop.load_keras(path)
    images = jax.random.uniform(jax.random.key(0), (2, *model.image_shape))
    found = convolved(model, variables, images, next(iter(variables["params"])))
    assert found.function == "relu"
    assert float(found.made.min()) < 0
    np.testing.assert_array_equal(found.bent, jnp.maximum(found.made, 0))


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        ("32", "conv1 has 32 channels, 0 to 31; '32' means 32."),
        ("-1", "'-1' means -1."),
        ("9:9", "means none of them"),
        ("0:20", "at most 16 channels; '0:20' means 20"),
        ("first", "channels must be numbers such as 3, 0:8 or 3,5,9; it was 'first'."),
        ("", "it was ''"),
    ],
)
def test_channels_that_are_not_there_are_an_error_of_one_sentence(channels, text, run):
    with pytest.raises(InputError, match=text):
        Responses(channels=channels)([run], DATA)


def test_without_a_convolution_it_is_skipped(run):
    with pytest.raises(Skipped, match="Responses are those of convolutions over pictures; a run has none"):
        Responses()([make_run(DenseNetwork())], DATA)
    with pytest.raises(InputError, match="The layer 'dense1' is not a convolution"):
        convolved(run.model, run.variables, jnp.zeros((1, 28, 28, 1)), "dense1")
