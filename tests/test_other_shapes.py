"""Signals, volumes and other numbers from an `.npz`: read in the shape that is asked for, and trained on."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import data
from cnnviz.commands import train, visualize
from cnnviz.errors import InputError
from cnnviz.networks import Prepare
from cnnviz.training.augment import check_augmented, shifted
from cnnviz.training.recipe import Recipe

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (24, 12, 3), dtype=np.uint8)
LABELS = np.arange(24) % 2


def saved(folder, images, labels=LABELS, **others):
    test = {"x_test": images[:6], "y_test": labels[:6]}
    np.savez(folder / "x.npz", x_train=images, y_train=labels, **(test | others))
    return folder / "x.npz"


def test_three_axes_are_gray_pictures_unless_a_shape_is_asked_for(tmp_path):
    path = saved(tmp_path, BYTES)
    assert data.load(path).train.images.shape[1:] == (12, 3, 1)
    for shape in ("12,3", "12x3", (12, 3), [12, 3]):
        found = data.load(path, image_shape=shape)
        assert found.train.images.shape[1:] == (12, 3)
        np.testing.assert_array_equal(found.train.images, data.load(path).train.images[..., 0])
        assert found.notes == ()
    assert data.load(path, image_shape="12,3,1").fingerprint == data.load(path).fingerprint
    assert data.load(path, image_shape="3,12").train.images.shape[1:] == (12, 3, 1)  # which does not fit


@pytest.mark.parametrize("shape", [(4, 3, 5, 1), (4, 3, 5, 2)])
def test_volumes_with_their_channels_need_no_shape_and_without_them_one(shape, tmp_path):
    volumes = RANDOM.integers(0, 256, (24, *shape), dtype=np.uint8)
    assert data.load(saved(tmp_path, volumes)).train.images.shape[1:] == shape
    if shape[-1] == 1:
        path = saved(tmp_path, volumes[..., 0])
        assert data.load(path).train.images.shape[1:] == (4, 3, 5)  # pictures of five channels
        assert data.load(path, image_shape=shape).train.images.shape[1:] == shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_other_numbers_are_kept_in_eight_bits_and_given_back(dtype, tmp_path):
    values = (RANDOM.normal(0, 100, (24, 12, 3)) + 40).astype(dtype)
    test = np.concatenate([values[:5], 2 * np.abs(values[:1]) + values.max()]).astype(dtype)
    path = saved(tmp_path, values, x_test=test, y_test=LABELS[:6])
    with pytest.raises(InputError, match=r"or --image-shape 12,3 to read them as images of that shape\."):
        data.load(path)
    found = data.load(path, image_shape="12,3")
    (note,) = found.notes
    assert note.startswith(f"The values of x_train are {np.dtype(dtype)} from {values.min():g} to {values.max():g}")
    prepare = Prepare.read(json.loads(note.partition("--prepare '")[2].partition("'")[0]))
    half = (float(values.max()) - float(values.min())) / 255 / 2
    np.testing.assert_allclose(prepare(found.train.images), values, atol=1.01 * half)
    np.testing.assert_array_equal(found.test.images[-1], np.full((12, 3), 255))  # beyond what training has


def test_usual_ranges_stay_what_they_are(tmp_path):
    wide = data.load(saved(tmp_path, BYTES.astype(np.int64)), image_shape="12,3")
    np.testing.assert_array_equal(wide.train.images, BYTES)
    assert wide.notes == ()
    shares = data.load(saved(tmp_path, (BYTES / 255).astype(np.float32)), image_shape="12,3")
    np.testing.assert_array_equal(shares.train.images, BYTES)
    assert "from 0 to 1" in shares.notes[0]


def test_a_constant_signal_is_read(tmp_path):
    found = data.load(saved(tmp_path, np.full((24, 12, 3), -3.0)), image_shape="12,3")
    assert np.unique(found.train.images).tolist() == [0]


@pytest.mark.parametrize(
    ("images", "shape", "said"),
    [
        (np.full((24, 12, 3), np.nan), "12,3", "include NaN or infinity; all must be finite."),
        (BYTES.astype(complex), "12,3", "are complex128; numbers are needed"),
        (BYTES, "12", "image_shape must be an image's sides and then its channels, such as 28,28,1 of a picture"),
        (BYTES, "12,0", "it was '12,0'"),
        (BYTES, "12,three", "it was '12,three'"),
        (BYTES[..., 0], "12,3", "are uint8.24, 12.; uint8 of shape"),
    ],
)
def test_what_cannot_be_read_is_one_line(images, shape, said, tmp_path):
    with pytest.raises(InputError, match=said.replace("[", ".")):
        data.load(saved(tmp_path, images), image_shape=shape)


def test_a_signal_is_shifted_in_time_and_only_shifted():
    signal = jnp.arange(1, 7, dtype=jnp.uint8).reshape(6, 1)
    np.testing.assert_array_equal(shifted(signal, jnp.array([2]), 3)[:, 0], [0, 0, 1, 2, 3, 4])
    check_augmented(Recipe(shift=2), (6, 1))
    check_augmented(Recipe(shift=5), (9, 6, 1))
    with pytest.raises(InputError, match="shift must be less than 6, the shortest side of images of 9x6x3; it was 6"):
        check_augmented(Recipe(shift=6), (9, 6, 3))
    for name, value in {"flip": True, "erase": 0.5, "flip_vertical": True, "crop": 0.5}.items():
        check_augmented(Recipe(**{name: value}), (6, 6, 1))
        with pytest.raises(InputError, match=f"{name} is for pictures .it was {value}.; images of 6x1 can only be sh"):
            check_augmented(Recipe(**{name: value}), (6, 1))


SMALL = ["--model", "cnn", "--model-options", '{"width": 2, "hidden": 4}', "--batch-size", "8", "--epochs", "1"]


@pytest.mark.slow  # two trainings, each compiled
def test_a_run_on_signals_is_trained_resumed_and_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = np.array(["calm", "wild"])
    values = RANDOM.normal(0, 1, (24, 16, 2)).astype(np.float32) * (1 + 4 * LABELS[:, None, None])
    saved(tmp_path, values, class_names=names)
    given = ["--dataset", "x.npz", "--image-shape", "16,2", *SMALL]
    assert train.main([*given, "--name", "a"]) == 0
    assert json.loads(Path("runs/a/config.json").read_text())["data"]["image_shape"] == [16, 2]
    assert train.main(["--resume", "--name", "a", "--image-shape", "8,4"]) == 2
    assert "--image-shape 8x4 (it has 16x2)" in capsys.readouterr().err
    assert train.main(["--verify", "runs/a"]) == 0
    assert train.main(["--config", "runs/a/config.json", "--name", "b", "--limit", "16"]) == 0
    assert train.main([*given, "--name", "c", "--flip"]) == 2
    assert "flip is for pictures" in capsys.readouterr().err
    assert visualize.main(["activations", "runs/a", "--image", "1", "--dataset", "x.npz"]) == 0
    assert visualize.main(["predict", "runs/a", "x.png"]) == 2
    assert {path.name for path in Path("runs/a/figures").iterdir()} > {"image_test1.png"}


def test_a_shape_that_the_data_do_not_have_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, BYTES)
    assert train.main(["--dataset", "x.npz", "--image-shape", "12,5", *SMALL]) == 2
    assert capsys.readouterr().err == (
        "train.py: The images of x have the shape (12, 3, 1); --image-shape was (12, 5).\n"
    )
    assert train.main(["--dataset", "x.npz", "--image-shape", "12,3", "--model", "resnet"]) == 2
    said = "resnet is for pictures; images of 12x3 need --model cnn or dense, or a class of yours (path/to/net.py:Net)."
    assert capsys.readouterr().err == f"train.py: {said}\n"
