"""Pictures of one's own that are odd: deep, damaged, empty, none at all, or with a name that means something else."""

import os
import struct
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import serialization
from PIL import Image
from test_own_pictures import dataset, gradient, network, shown

from cnnviz.commands import visualize
from cnnviz.commands.own_pictures import gathered
from cnnviz.data import photograph
from cnnviz.errors import InputError
from cnnviz.pictures import files, predict
from cnnviz.pictures.choices import choices
from cnnviz.pictures.picture import Data
from cnnviz.pictures.samples import samples


@pytest.fixture(scope="module")
def net():
    return network()


def png(path, depth, color, rows):
    """A PNG file written by hand, of rows of bytes: Pillow writes no more than eight bits per channel of colors."""
    height, width = len(rows), 8 * len(rows[0]) // (depth * {0: 1, 2: 3, 6: 4}[color])
    return written(path, width, height, depth, color, b"".join(b"\0" + row for row in rows))


def written(path, width, height, depth, color, data):
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


@pytest.mark.parametrize(("color", "mode"), [(2, "RGB"), (6, "RGBA")])
def test_sixteen_bits_per_color_are_said_and_are_the_picture_of_eight(color, mode, net, tmp_path):
    eight = np.asarray(gradient().convert(mode))
    rows = [row.tobytes() for row in (eight.astype(">u2") * 257)]
    deep, lines = shown(png(tmp_path / "deep.png", 16, color, rows), net)
    gradient().save(tmp_path / "plain.png")
    np.testing.assert_array_equal(deep.pixels, shown(tmp_path / "plain.png", net)[0].pixels)
    assert "reduced to 8 bits per channel (from 16 bits)" in lines[0]


def test_values_that_are_not_finite_are_counted(net, tmp_path):
    values = np.linspace(0, 1, 192, dtype=np.float32).reshape(12, 16)
    values[0, :3] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert "(values from 0 to 1; 3 NaN or infinite)" in shown(tmp_path / "x.tif", net)[1][0]


@pytest.fixture
def odd(tmp_path):
    """A folder with a picture and several files that are none."""
    gradient().save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    written(tmp_path / "bomb.png", 60_000, 60_000, 8, 0, b"")
    return tmp_path


def test_every_file_that_cannot_be_read_is_named_at_once_and_early(odd):
    with pytest.raises(InputError) as error:
        photograph.check_formats(sorted(odd.iterdir()))
    bomb = "of 3,600,000,000 pixels, where at most 178,956,970 are read"
    for said in (
        f"bomb.png ({bomb})",
        "cut.png (image file is truncated)",
        "empty.png (an empty file)",
        "text.png (of",
    ):
        assert said in str(error.value)
    assert str(error.value).startswith("4 files are not pictures")
    assert "good.png" not in str(error.value)
    photograph.check_formats([odd / "good.png", odd / "cut.png"])  # whose pixels are read later


def test_every_damaged_picture_is_named_when_they_are_read(odd, net):
    for name in ("cut.png", "text.png"):
        (odd / name).rename(odd / f"other_{name}")
    named = [odd / name for name in ("other_cut.png", "good.png", "other_text.png")]
    with pytest.raises(InputError, match=r"2 files .*other_cut\.png \(.*other_text\.png \(") as error:
        samples(predict.Predict(image=",".join(map(str, named))), net, Data())
    with pytest.raises(InputError, match=r"other_cut\.png is not a picture"):
        samples(predict.Predict(image=str(named[0])), net, Data())
    assert "\n" not in str(error.value)


def test_an_image_that_is_named_twice_is_shown_once(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gradient().save("x.png")
    data = Data(lambda: dataset())
    assert [one.name for one in samples(predict.Predict(image="3,5,3,2:4"), net, data)] == ["test3", "test5", "test2"]
    assert len(samples(predict.Predict(image="x.png,./x.png"), net, data)) == 1


def test_pictures_of_the_same_name_are_told_by_their_folders(net, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        gradient().save(tmp_path / folder / "x.png")
    found = predict.Predict(image=f"{tmp_path}/*/x.png")([net], Data())
    assert [picture.table[0]["image"] for picture in found] == ["a/x.png", "b/x.png"]
    names = [files.write(picture, tmp_path / "out")[0].name for picture in found]
    assert names == ["predict_a-x.png", "predict_b-x.png"]


def test_what_is_no_file_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    Path("loop.png").symlink_to("loop.png")
    Path("inner/more").mkdir(parents=True)
    gradient().save("inner/more/x.png")
    for text, said in (
        ("pipe.png", "pipe.png is no file"),
        ("loop.png", "loop.png is a link that leads to no file"),
        ("none.png", "none.png does not exist"),
        ("inner", r"The folder inner has no pictures.*; 'inner/\*\*' has those of its folders too"),
        ("good.png\ncsv", "it was 'csv'"),
    ):
        Path("good.png").touch()
        with pytest.raises(InputError, match=said):
            choices(text)
    assert choices("inner/**") == [Path("inner/more/x.png")]


def test_a_name_with_a_line_break_is_said_on_one_line(net, tmp_path):
    gradient().save(tmp_path / "two\nlines.png")
    one, lines = shown(tmp_path / "two\nlines.png", net)
    assert one.title == "two lines.png"
    assert all("\n" not in line for line in lines)


def test_what_begins_with_a_dash_is_an_option_or_a_named_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("RUN").mkdir()
    options = visualize.options_of("predict")
    assert gathered(["RUN", "-x.png"], options, every=True) == ["RUN", "--image", "./-x.png"]
    assert gathered(["RUN", "-v", "x.png"], options, every=True) == ["RUN", "-v", "--image", "x.png"]
    assert gathered(["RUN", "--image="], options, every=True) == ["RUN", "--image", ""]
    Path("--top.png").touch()
    assert visualize.main(["predict", "RUN", "--top.png"]) == 2
    assert "the file of this name is typed ./--top.png" in capsys.readouterr().err


def test_a_network_whose_weights_are_spoiled_is_said_so_before_anything_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    gradient().save("x.png")
    variables = jax.tree.map(np.array, network().variables)
    variables["params"]["conv1"]["kernel"].flat[:2] = np.nan
    Path("w.msgpack").write_bytes(serialization.to_bytes(variables))
    options = ["--model", "cnn", "--model-options", '{"width": 2, "hidden": 4}', "--image-shape", "12,16,1"]
    assert visualize.main(["predict", "--weights", "w.msgpack", *options, "--classes", "cat,dog", "x.png"]) == 0
    said = "2 of the parameters are NaN or infinite (2 of conv1/kernel), which spoils what follows from them."
    assert f"note: w: {said}" in capsys.readouterr().out


@pytest.mark.parametrize("own", [True, False])
def test_of_four_channels_the_caption_says_which_are_drawn(own, tmp_path):
    gradient().convert("RGBA").save(tmp_path / "x.png")
    shape = (12, 16, 4)
    (picture,) = predict.Predict(image=str(tmp_path / "x.png") if own else "3")(
        [network(shape)], Data(lambda: dataset(shape))
    )
    axes = picture.draw().axes
    drawn = axes[1 if own else 0].images[0].get_array().shape
    assert drawn == ((12, 16, 3) if own else (12, 16))
    said = "sees how opaque it is, which is not drawn" if own else "numbered 0 to 3, channel 0 is drawn"
    assert said in picture.caption
