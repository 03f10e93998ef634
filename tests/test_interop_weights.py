"""Weights of Keras in files of their own, in other types than float32, and statistics of data in a model."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.errors import InputError
from cnnviz.interop.keras.read import load_keras

GOLDENS = Path(__file__).parent / "goldens" / "keras"


def weights_of(model, folder):
    """The file that `save_weights` of Keras 3 writes for a model."""
    with zipfile.ZipFile(GOLDENS / f"{model}.keras") as archive:
        path = folder / f"{model}.weights.h5"
        path.write_bytes(archive.read("model.weights.h5"))
    return path


def weights_by_name(model, folder):
    """The file that `save_weights` of Keras 2 writes for a model."""
    path = folder / f"{model}.h5"
    with h5py.File(GOLDENS / f"{model}.h5") as whole, h5py.File(path, "w") as file:
        weights = whole["model_weights"]
        for name, value in weights.attrs.items():
            file.attrs[name] = value
        for name in weights:
            weights.copy(name, file)
    return path


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, dict(found), dict(expected))


@pytest.mark.parametrize("name", ["keras3_nested", "keras2_nested", "keras3_several", "keras2_signal"])
def test_weights_in_a_file_of_their_own(name, tmp_path):
    model, expected = load_keras(GOLDENS / f"{name}.keras")
    other = shutil.copy(GOLDENS / f"{name}.keras", tmp_path / "model.keras")
    found, variables = load_keras(other, weights_of(name, tmp_path))
    assert found == model
    assert_same(variables, expected)


@pytest.mark.parametrize("name", ["keras3_nested", "keras2_nested", "keras2_branches"])
def test_weights_of_keras_2_in_a_file_of_their_own(name, tmp_path):
    _, expected = load_keras(GOLDENS / f"{name}.h5")
    _, variables = load_keras(GOLDENS / f"{name}.h5", weights_by_name(name, tmp_path))
    assert_same(variables, expected)
    _, variables = load_keras(GOLDENS / f"{name}.keras", GOLDENS / f"{name}.h5")  # a whole model's weights
    assert_same(variables, expected)


def test_a_description_alone_and_weights(tmp_path):
    path = tmp_path / "model.json"
    with zipfile.ZipFile(GOLDENS / "keras3_nested.keras") as archive:
        path.write_bytes(archive.read("config.json"))
    _, expected = load_keras(GOLDENS / "keras3_nested.keras")
    _, variables = load_keras(path, weights_of("keras3_nested", tmp_path))
    assert_same(variables, expected)
    with pytest.raises(InputError, match=r"model.json .* describes a model and has no weights; give them in a file"):
        load_keras(path)


def test_weights_of_another_model(tmp_path):
    weights = weights_of("keras3_signal", tmp_path)
    said = r"keras3_signal.weights.h5 cannot be read as weights of Keras: 0 of 8 arrays fit; .*the file has weights of"
    with pytest.raises(InputError, match=said):
        load_keras(GOLDENS / "keras3_chapter.keras", weights)
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(InputError, match="it is an HDF5 file without weights of layers, as save_weights writes them"):
        load_keras(GOLDENS / "keras3_chapter.keras", path)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_file_in_half_precision(dtype, tmp_path):
    path = Path(shutil.copy(GOLDENS / "keras2_chapter.h5", tmp_path / "model.h5"))
    policy = {"class_name": "DTypePolicy", "config": {"name": f"mixed_{dtype}"}, "module": "keras"}
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            layer["config"]["dtype"] = policy
        file.attrs["model_config"] = json.dumps(config)
        group = file["model_weights/conv2d/conv2d"]
        kernel = jnp.asarray(group["kernel:0"][()]).astype(dtype)
        del group["kernel:0"]
        group["kernel:0"] = np.asarray(kernel)
    _, variables = load_keras(path)
    found = variables["params"]["conv2d"]["kernel"]
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, kernel.astype(jnp.float32))


def test_statistics_of_data_stay_in_an_untrained_model():
    model, variables = load_keras(GOLDENS / "keras3_normalizing.h5")
    golden = np.load(GOLDENS / "keras3_normalizing.npz")
    images = jnp.asarray(golden["images"])
    drawn = model.init(jax.random.key(0), images)
    assert jax.tree.structure(drawn) == jax.tree.structure(dict(variables))
    _, state = model.apply(drawn, images, capture_intermediates=True, mutable=["intermediates"])
    np.testing.assert_allclose(state["intermediates"]["by_data"]["__call__"][0], golden["by_data"], atol=1e-5)


def model_of(first, folder):
    """The chapter's network with another layer before the first."""
    path = Path(shutil.copy(GOLDENS / "keras2_chapter.h5", folder / "model.h5"))
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        kind, fields = first
        config["config"]["layers"].insert(1, {"class_name": kind, "config": {"name": "first", **fields}})
        file.attrs["model_config"] = json.dumps(config)
    return load_keras(path)[0]


FIRST = [
    (("Rescaling", {"scale": 1 / 255, "offset": 0}), 1),
    (("Rescaling", {"scale": 1 / 127.5, "offset": -1}), 1),
    (("Rescaling", {"scale": 2.0, "offset": -1}), 1 / 255),
    (("Normalization", {"axis": -1, "mean": 72.9, "variance": 8100.0}), 1),
    (("Normalization", {"axis": -1, "mean": 0.286, "variance": 0.125}), 1 / 255),
    (("Dropout", {"rate": 0.5}), 1 / 255),
]


@pytest.mark.parametrize(("first", "scale"), FIRST, ids=lambda value: str(value)[:40])
def test_pixels_go_in_raw_if_the_first_layers_rescale_them(first, scale, tmp_path):
    assert model_of(first, tmp_path).pixel_scale == scale


def test_a_rescaling_behind_augmentation_in_a_model_of_its_own_is_found():
    model, _ = load_keras(GOLDENS / "keras3_nested.keras")
    assert model.pixel_scale == 1
