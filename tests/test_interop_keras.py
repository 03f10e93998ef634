"""Imported Keras models against what real Keras gave, layer by layer (tests/goldens/make_keras.py wrote it)."""

import json
import os
import shutil
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import interop, kernels, probe
from cnnviz.interop.keras.config import parse
from cnnviz.registry import resolve

GOLDENS = Path(__file__).parent / "goldens" / "keras"
CHAINS = "chapter convolutions pooling activations flat functional".split()  # test_interop_graphs.py has the others
FILES = sorted(p for p in GOLDENS.iterdir() if p.suffix in (".h5", ".keras") and p.stem.split("_")[1] in CHAINS)
CHAPTER = GOLDENS / "keras2_chapter.h5"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_layer_gives_what_keras_gives(path):
    golden = np.load(path.with_suffix(".npz"))
    model, variables = interop.load_keras(path)
    found = probe.activations(model, variables, golden["images"].reshape(-1, *model.image_shape))
    names = golden["names"].tolist()
    assert [name for name in found if "/" not in name] == names  # and operations within layers
    for name in names:
        np.testing.assert_allclose(found[name], golden[name], atol=1e-5, rtol=0, err_msg=name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_fresh_draw_has_the_shapes_of_what_was_loaded(path):
    model, variables = interop.load_keras(path)
    drawn = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *model.image_shape), jnp.float32))
    loaded = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), dict(variables))
    assert loaded == drawn


def test_the_four_files_of_one_model_are_one_model():
    """The weights were drawn from one seed; Keras 3 and 2 saved them, to both kinds of file."""
    model, variables = interop.load_keras(CHAPTER)
    for name in ("keras2_chapter.keras", "keras3_chapter.h5", "keras3_chapter.keras"):
        other, others = interop.load_keras(GOLDENS / name)
        assert other == model
        assert hash(other) == hash(model)
        jax.tree.map(np.testing.assert_array_equal, dict(others), dict(variables))


def test_kernels_and_layers_come_in_the_order_of_the_file():
    model, variables = interop.load_keras(GOLDENS / "keras3_convolutions.keras")
    assert list(kernels.kernels(variables)) == ["zebra", "conv2d", "each", "depthwise_conv2d", "conv2d_1"]
    names = ["uneven", "zebra", "re_lu", "conv2d", "each", "zero_padding2d", "depthwise_conv2d", "apple", "conv2d_1"]
    layers = [layer.name for layer in probe.layers(model, variables, model.image_shape)]
    assert [name for name in layers if "/" not in name][:9] == names


def test_the_softmax_is_kept_and_the_logits_are_explained():
    golden = np.load(CHAPTER.with_suffix(".npz"))
    model, variables = interop.load_keras(CHAPTER)
    logits = probe.logits(model, variables, golden["images"])
    np.testing.assert_allclose(jax.nn.softmax(logits), golden["dense_1"], atol=1e-6)
    score, _ = probe.score_of(model, variables, 1)(jnp.asarray(golden["images"][0]), {})
    np.testing.assert_allclose(score, logits[0, 1], atol=1e-6)


@pytest.fixture
def chapter(tmp_path):
    """A copy of the chapter's network that a test may change."""
    return Path(shutil.copy(CHAPTER, tmp_path / "model.h5"))


def edit_config(path, edit):
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(edit(config) or config)


def assert_is_the_chapters(path):
    model, variables = interop.load_keras(path)
    expected, values = interop.load_keras(CHAPTER)
    assert model == expected
    jax.tree.map(np.testing.assert_array_equal, dict(variables), dict(values))


def test_a_model_described_as_a_plain_list_of_layers(chapter):
    """As Keras wrote it before 2.2.3, with the input's shape on the first layer."""

    def to_list(config):
        first, *layers = config["config"]["layers"]
        shape = first["config"].get("batch_input_shape") or first["config"]["batch_shape"]
        layers[0]["config"]["batch_input_shape"] = shape
        return {"class_name": "Sequential", "config": layers}

    edit_config(chapter, to_list)
    assert_is_the_chapters(chapter)


def test_text_that_is_stored_as_bytes(chapter):
    """As h5py wrote it before 3.0."""
    with h5py.File(chapter, "r+") as file:
        for holder, name in [(file, "model_config"), (file, "keras_version"), (file["model_weights"], "layer_names")]:
            value = holder.attrs[name]
            holder.attrs[name] = np.bytes_(value) if isinstance(value, str) else np.array(value.tolist(), "S")
    assert_is_the_chapters(chapter)


def test_lists_of_names_too_long_for_one_attribute(chapter):
    with h5py.File(chapter, "r+") as file:
        weights = file["model_weights"]
        names = weights.attrs["layer_names"]
        del weights.attrs["layer_names"]
        weights.attrs["layer_names0"], weights.attrs["layer_names1"] = names[:3], names[3:]
    assert_is_the_chapters(chapter)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_weights_of_another_precision_become_float32(chapter, dtype):
    with h5py.File(chapter, "r+") as file:
        kernel = file["model_weights/conv2d/conv2d/kernel:0"][()]
        del file["model_weights/conv2d/conv2d/kernel:0"]
        file["model_weights/conv2d/conv2d/kernel:0"] = kernel.astype(dtype)
    _, variables = interop.load_keras(chapter)
    found = variables["params"]["conv2d"]["kernel"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, kernel.astype(dtype).astype(np.float32))


def test_weights_under_the_name_they_had_until_keras_2_12(tmp_path):
    weights = unzipped(GOLDENS / "keras2_chapter.keras", tmp_path)
    with h5py.File(weights, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    assert_is_the_chapters(zipped(tmp_path))


def unzipped(path, folder):
    """The archive's members in the folder; the path of its weights."""
    shutil.unpack_archive(path, folder / "parts", "zip")
    return folder / "parts" / "model.weights.h5"


def zipped(folder):
    return Path(shutil.make_archive(str(folder / "model"), "zip", folder / "parts"))


def in_terms_of_keras1(entry):
    """A layer of the chapter's network as Keras 1 described it."""
    kind, config = entry["class_name"], dict(entry["config"])
    for new, old in {"filters": "nb_filter", "units": "output_dim", "strides": "subsample", "use_bias": "bias"}.items():
        if new in config and not (kind == "MaxPooling2D" and new == "strides"):
            config[old] = config.pop(new)
    if "kernel_size" in config:
        config["nb_row"], config["nb_col"] = config.pop("kernel_size")
    if "padding" in config:
        config["border_mode"] = config.pop("padding")
    if config.pop("data_format", None) and kind != "Flatten":
        config["dim_ordering"] = "tf"
    if "rate" in config:
        config["p"] = config.pop("rate")
    return {"class_name": kind.replace("Conv2D", "Convolution2D"), "config": config}


def test_a_file_of_keras_1(chapter):
    def to_keras1(config):
        first, *layers = config["config"]["layers"]
        layers[0]["config"]["batch_input_shape"] = [None, 8, 8, 1]
        return {"class_name": "Sequential", "config": [in_terms_of_keras1(layer) for layer in layers]}

    edit_config(chapter, to_keras1)
    with h5py.File(chapter, "r+") as file:
        file.attrs["keras_version"] = "1.2.2"
    assert_is_the_chapters(chapter)


def test_the_padding_of_keras_1():
    layer = resolve({"x": "cnnviz.interop.keras.keras1:in_terms_of_keras2"}, "x", "")
    assert layer("ZeroPadding2D", {"padding": [1, 2, 3, 4]})[1]["padding"] == [[1, 2], [3, 4]]
    assert layer("ZeroPadding2D", {"padding": [1, 2]})[1]["padding"] == [1, 2]


@pytest.mark.parametrize(("kind", "config", "slope"), [("LeakyReLU", {}, 0.3), ("LeakyReLU", {"alpha": 0.1}, 0.1)])
def test_the_slope_of_a_leaky_relu(chapter, kind, config, slope):
    new = {"class_name": kind, "config": {"name": "leaky", **config}}
    edit_config(chapter, lambda whole: whole["config"]["layers"].append(new))
    model, _ = interop.load_keras(chapter)
    assert dict(model.layers)["leaky"].negative_slope == slope


def test_hard_sigmoid_has_the_slope_of_its_version():
    for version, slope in [("keras2", 0.2), ("keras3", 1 / 6)]:
        model, _ = interop.load_keras(GOLDENS / f"{version}_activations.h5")
        found = dict(model.layers)["a_hard_sigmoid"].function(jnp.ones((1, 1)))
        np.testing.assert_allclose(found, 0.5 + slope, rtol=1e-6)


def test_every_reader_can_be_resolved():
    for ending in interop.READERS:
        assert resolve(interop.READERS, ending, "reader").__name__ == "load_keras"
    assert parse("{}", "it") == {}


@pytest.mark.real_data
@pytest.mark.skipif(
    "CNNVIZ_KERAS_SEED" not in os.environ, reason="CNNVIZ_KERAS_SEED does not point to best-cnn-model.h5"
)
def test_the_chapters_own_file():
    """Rickie Park's best-cnn-model.h5 (MIT): mean and deviation of its first kernel as the chapter prints them."""
    model, variables = interop.load_keras(os.environ["CNNVIZ_KERAS_SEED"])
    names = "conv2d max_pooling2d conv2d_1 max_pooling2d_1 flatten dense dropout dense_1".split()
    assert [layer.name for layer in probe.layers(model, variables, model.image_shape)] == names
    kernel = np.asarray(variables["params"]["conv2d"]["kernel"])
    np.testing.assert_allclose([np.mean(kernel), np.std(kernel)], [-0.021033935, 0.23466988], rtol=1e-6)
    assert kernels.parameter_count(variables) == 333_526
