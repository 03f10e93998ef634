"""Runs with data in the folder of their runs, data that moved, and normalized, resized or split data."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.commands import train, visualize

RANDOM = np.random.default_rng(0)
ARGUMENTS = ["--model", "dense", "--epochs", "1", "--batch-size", "8", "--name", "x"]


@pytest.fixture
def toy(alone, tmp_path, monkeypatch):
    """A folder of two classes, dark and bright, of 12 RGB images each, whose red is always 9."""
    for name, level in (("dark", 30), ("bright", 180)):
        (tmp_path / "toy" / name).mkdir(parents=True)
        for i in range(12):
            pixels = RANDOM.integers(level, level + 60, (8, 8, 3)).astype(np.uint8)
            pixels[..., 0] = 9
            Image.fromarray(pixels).save(tmp_path / "toy" / name / f"{i}.png")
    return tmp_path / "toy"


def config():
    return json.loads(Path("runs/x/config.json").read_text())


def test_a_data_set_in_the_current_folder_twice_with_pictures_between(toy, monkeypatch, capsys):
    monkeypatch.chdir(toy)
    assert train.main(["--dataset", ".", *ARGUMENTS]) == 0
    assert visualize.main(["curves", "runs/x"]) == 0
    assert train.main(["--dataset", ".", *ARGUMENTS[:-1], "y"]) == 0
    assert json.loads(Path("runs/y/config.json").read_text())["data"]["classes"] == ["bright", "dark"]
    capsys.readouterr()


def test_data_that_moved_go_on_by_their_fingerprint(toy, tmp_path, capsys):
    assert train.main(["--dataset", "toy", *ARGUMENTS]) == 0
    (tmp_path / "new").mkdir()
    toy.rename(tmp_path / "new" / "other")
    assert train.main(["--verify", "runs/x"]) == 2
    assert "are no longer at" in capsys.readouterr().err
    for where in (["--data-dir", "new/other"], ["--dataset", "new/other"]):
        assert train.main(["--verify", "runs/x", *where]) == 0
    shutil.copytree("new/other", "new/toy")
    assert train.main(["--verify", "runs/x", "--data-dir", "new"]) == 0
    assert visualize.main(["predictions", "runs/x", "--data-dir", "new"]) == 0
    Path("runs/x/summary.json").unlink()
    assert train.main(["--resume", "--name", "x", "--dataset", "new/other"]) == 0
    assert "Going on with" in capsys.readouterr().out
    (tmp_path / "new" / "other" / "dark" / "0.png").unlink()
    Path("runs/x/summary.json").unlink()
    assert train.main(["--resume", "--name", "x", "--dataset", "new/other"]) == 2
    assert "was trained on data other than" in capsys.readouterr().err


def test_of_four_channels_it_is_said_which_is_drawn(tmp_path, alone, capsys):
    images = RANDOM.integers(0, 256, (40, 8, 8, 4), dtype=np.uint8)
    np.savez("four.npz", images=images, labels=np.arange(40) % 2)
    assert train.main(["--dataset", "four.npz", *ARGUMENTS]) == 0
    assert "note: The images have 4 channels, numbered 0 to 3; pictures draw channel 0" in capsys.readouterr().out
    from cnnviz import data, networks
    from cnnviz.pictures import PICTURES
    from cnnviz.pictures.picture import Data
    from cnnviz.registry import resolve

    net, shown = networks.open("runs/x"), Data(lambda: data.load("four.npz"))
    said = "Of its 4 channels, numbered 0 to 3, channel 0 is drawn."
    for kind in ("activations", "predictions", "attribute", "predict"):
        options = {"methods": "gradient"} if kind == "attribute" else {}
        pictures = resolve(PICTURES, kind, "kind of picture")(**options)([net], shown)
        names = ("image", "probabilities", "mistakes", "attribute", "predict")
        captions = [picture.caption for picture in pictures if picture.name in names]
        assert captions
        assert [caption for caption in captions if said not in caption] == []


def test_normalizing_resizing_and_own_validation_are_recorded_and_obeyed(toy, tmp_path, capsys):
    (tmp_path / "all").mkdir()
    for part in ("train", "test", "val"):
        shutil.copytree(toy, tmp_path / "all" / part)
    (tmp_path / "all" / "train" / "dark" / "bad.png").write_bytes(b"")
    reading = ["--resize", "6x10", "--skip-unreadable"]
    assert train.main(["--dataset", "all", *ARGUMENTS, *reading, "--normalize"]) == 0
    printed = capsys.readouterr().out
    for line in (
        "note: Unreadable and left out: 1 (",
        "note: The images are resized to 6x10",
        "note: Its own 24 valid",
    ):
        assert line in printed
    saved = config()
    assert (saved["data"]["resize"], saved["data"]["skip_unreadable"]) == ([6, 10], True)
    assert saved["data"]["image_shape"] == [6, 10, 3]
    mean, deviation = saved["prepare"]["mean"], saved["prepare"]["deviation"]
    assert (mean[0], deviation[0]) == (pytest.approx(9 / 255, abs=1e-6), 1)
    from cnnviz import data, runs

    images = data.load("all", resize=(6, 10), skip_unreadable=True).train.images
    prepared = np.asarray(runs.load_run("runs/x").prepare(images))
    np.testing.assert_allclose(prepared.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.std((0, 1, 2))[1:], 1, atol=1e-4)
    assert train.main(["--verify", "runs/x"]) == 0
    assert visualize.main(["predictions", "runs/x"]) == 0
    Path("runs/x/summary.json").unlink()
    assert train.main(["--resume", "--name", "x", "--resize", "7"]) == 2
    assert "--resize 7x7 (it has 6x10)" in capsys.readouterr().err
    assert train.main(["--resume", "--name", "x", *reading, "--normalize"]) == 0
