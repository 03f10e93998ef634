"""visualize.py on Keras files: sigmoids, the range of pixels, and weights in a file of their own."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import interop
from cnnviz.commands.visualize import main
from cnnviz.interop.weights import read_weights

GOLDENS = Path(__file__).parent / "goldens" / "keras"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def images_of(folder, images, labels):
    """The option that names a data set of these images."""
    np.savez(folder / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return ["--dataset", str(folder / "data.npz"), "--data", "--out", str(folder / "out")]


def probabilities(folder):
    """The probabilities that were drawn last, as --data writes them."""
    path = max((folder / "out").glob("probabilities_*.csv"), key=lambda path: path.stat().st_mtime_ns)
    with path.open() as file:
        return [float(row["probability"]) for row in csv.DictReader(file)]


def test_each_class_of_sigmoids_has_kerass_own_number(folder):
    path = Path(shutil.copy(GOLDENS / "keras2_chapter.h5", folder / "model.h5"))
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["config"]["activation"] = "sigmoid"
        file.attrs["model_config"] = json.dumps(config)
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)
    assert main(["predictions", str(path), *images_of(folder, images, np.arange(12) % 3)]) == 0
    model, variables = interop.load_keras(path)
    expected = model.apply(variables, jnp.float32(images[:1]) / 255)[0]
    np.testing.assert_allclose(probabilities(folder), expected, atol=1e-6)
    assert abs(sum(expected) - 1) > 0.1


def test_one_sigmoid_tells_two_classes_apart_from_raw_pixels(folder, capsys):
    """The model rescales pixels itself, so they go in as they are."""
    path = GOLDENS / "keras3_nested.keras"
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    options = images_of(folder, images, np.arange(12) % 2)
    assert main(["predictions", str(path), *options]) == 0
    model, variables = interop.load_keras(path)
    p = float(model.apply(variables, jnp.float32(images[:1]))[0, 0])
    np.testing.assert_allclose(probabilities(folder), [1 - p, p], atol=1e-6)
    assert main(["attribute", str(path), "--methods", "gradient,grad_cam", "--images", "0:3", *options]) == 0
    assert "note: with pixels" not in capsys.readouterr().out


def bright(path):
    """A file of Keras 2 that tells bright images from dark ones, trained on pixels from 0 to 255."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "image", "batch_input_shape": [None, 4, 4, 1]}},
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {"class_name": "Dense", "config": {"name": "end", "units": 2, "activation": "softmax"}},
    ]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        file.attrs["keras_version"] = "2.15.0"
        end = file.create_group("model_weights/end")
        file["model_weights"].attrs["layer_names"] = ["end"]
        end.attrs["weight_names"] = ["kernel:0", "bias:0"]
        end["kernel:0"] = np.stack([-np.ones(16), np.ones(16)], 1).astype(np.float32) / 100
        end["bias:0"] = np.array([16 * 1.45, -16 * 1.45], np.float32)


def test_another_range_of_pixels_is_noticed_and_can_be_given(folder, capsys):
    bright(folder / "m.h5")
    labels = np.arange(30) % 2
    images = np.tile(np.where(labels, 200, 90).astype(np.uint8)[:, None, None, None], (1, 4, 4, 1))
    options = images_of(folder, images, labels)
    assert main(["predictions", "m.h5", *options]) == 0
    said = capsys.readouterr().out
    assert (
        "note: with pixels from 0 to 255, 30 of 30 test images are right, with those from 0 to 1 that it gets" in said
    )
    assert "--prepare '{\"scale\": 1.0}'" in said
    assert main(["predictions", "m.h5", "--prepare", '{"scale": 1.0}', *options]) == 0
    assert "note: with pixels" not in capsys.readouterr().out
    assert probabilities(folder)[0] > 0.99
    assert main(["predictions", "m.h5", "--prepare", '{"scale": 1.0, "mean": [1, 2]}', *options]) == 2
    assert "prepare.mean has 2 numbers; images of 1 channel need 1." in capsys.readouterr().err
    assert main(["predictions", "m.h5", "--prepare", "0..255", *options]) == 2
    assert '--prepare is a JSON object such as \'{"scale": 1, "mean": [0.5]}\'; it' in capsys.readouterr().err


def test_a_file_that_no_data_set_fits_asks_for_data_or_draws_pictures_of_ones_own(folder, capsys):
    from PIL import Image

    path = str(GOLDENS / "keras3_chapter.keras")
    for kind, more in (("attribute", ", or pictures of your own with --image photo.png"), ("evaluate", "")):
        assert main([kind, path, "--out", "o"]) == 2
        said = capsys.readouterr()
        assert "data set: none that is known here has images of 8x8x1 and 3 classes" in said.out
        assert said.err.splitlines()[-1].endswith(f"to show it; name one with --dataset{more}.")
    assert not Path("o").exists()
    Image.new("RGB", (20, 20), "green").save("photo.png")
    options = ["--methods", "gradient", "--image", "photo.png", "--out", "o"]
    assert main(["attribute", path, *options]) == 0
    assert [each.suffix for each in Path("o").iterdir()] == [".png"]


def test_a_model_and_weights_in_two_files(folder, capsys):
    with zipfile.ZipFile(GOLDENS / "keras3_chapter.keras") as archive:
        (folder / "model.json").write_bytes(archive.read("config.json"))
        (folder / "own.weights.h5").write_bytes(archive.read("model.weights.h5"))
    given = ["--model", "model.json", "--weights", "own.weights.h5", "--out", "out"]
    assert main(["kernels", *given]) == 0
    assert (folder / "out" / "kernels_conv2d.png").exists()
    assert main(["kernels", "--model", "model.json", "--weights", str(GOLDENS / "keras3_flat.keras")]) == 2
    assert "keras3_flat.keras cannot be read as weights of Keras: " in capsys.readouterr().err
    assert main(["kernels", *given, "--classes", "3"]) == 2
    assert "--classes: model.json says this itself; it is for a Flax class." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["keras2_pooling.h5", "keras2_pooling.keras", "keras3_pooling.keras"])
def test_weights_alone_have_the_names_of_flax(name):
    """As a Flax class of the user's own is filled with them; a `.keras` file numbers the layers of each class."""
    tree = read_weights(GOLDENS / name)
    _, variables = interop.load_keras(GOLDENS / name)
    first, dense = ("batch_normalization", "dense")
    np.testing.assert_array_equal(tree["params"][dense]["kernel"], variables["params"]["dense"]["kernel"])
    for kind, leaf in (("params", "scale"), ("params", "bias"), ("batch_stats", "mean"), ("batch_stats", "var")):
        np.testing.assert_array_equal(tree[kind][first][leaf], variables[kind][first][leaf])
    if name.endswith(".h5"):
        assert {*tree["params"]} == {*variables["params"]}
