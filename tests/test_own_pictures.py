"""Pictures of one's own: what a network is shown of a file, what is said of it, and one option for images."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from cnnviz import probe
from cnnviz.commands import visualize
from cnnviz.commands.own_pictures import gathered
from cnnviz.data import Dataset, Split
from cnnviz.data.pictures import picture as in_a_folder
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.networks import Net
from cnnviz.pictures import activations, attribute, files, predict, predictions
from cnnviz.pictures.picture import Data
from cnnviz.pictures.samples import samples

FRAMES = [Image.new("RGB", (160, 120), color) for color in ("black", "white")]
SHAPE = (12, 16, 1)  # not square, so that no side is taken for the other


def dataset(shape=SHAPE, background=0, count=12):
    images = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    images[:, [0, -1]] = images[:, :, [0, -1]] = background
    part = Split(images, np.arange(count, dtype=np.int32) % 2)
    return Dataset("things", part, part, ("cat", "dog"), "", "")


def network(shape=SHAPE):
    model = CNN(classes=2, width=2, hidden=4)
    variables = {"params": jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, *shape)))["params"]}
    return Net("net", model, [variables], [variables], shape, ("cat", "dog"))


@pytest.fixture(scope="module")
def net():
    return network()


def shown(path, net, found=None, **options):
    """The one sample of a file, and the lines that are said of it."""
    lines = []
    (one,) = samples(predict.Predict(image=str(path), **options), net, Data(lambda: found, lines.append))
    return one, lines


def gradient(h=120, w=160):
    """A color picture with a bright upper left corner, whose four corners differ."""
    y, x = np.mgrid[:h, :w]
    return Image.fromarray(np.stack([255 - y * 255 // h, 255 - x * 255 // w, (x + y) * 0], -1).astype(np.uint8))


def saved(image, path, **options):
    image.save(path, **options)
    return path


def test_a_picture_of_the_network_s_size_is_shown_as_it_is(net, tmp_path):
    pixels = dataset().test.images[3]
    path = saved(Image.fromarray(pixels[..., 0]), tmp_path / "exact.png")
    one, lines = shown(path, net)
    np.testing.assert_array_equal(one.pixels, pixels)
    assert lines == []
    (picture,) = predict.Predict(image=str(path))([net], Data())
    logits = probe.logits(net.model, net.variables, net.prepare(pixels[None]))[0]
    by_name = {row["class"]: row["probability"] for row in picture.numbers}
    np.testing.assert_allclose([by_name["cat"], by_name["dog"]], jax.nn.softmax(logits), atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "tif", "png"])
def test_every_exif_orientation_is_turned_upright(orientation, ending, tmp_path):
    back = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}  # Pillow's transpositions that undo it
    stored = gradient()
    for step in back.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if ending == "jpg" else {}
    one, lines = shown(saved(stored, tmp_path / f"x.{ending}", exif=exif, **options), network((12, 16, 3)))
    upright, _ = shown(saved(gradient(), tmp_path / "upright.png"), network((12, 16, 3)))
    np.testing.assert_allclose(one.pixels.astype(int), upright.pixels, atol=3)
    assert ("turned upright" in lines[0]) == (orientation > 1)


def see_through(mode):
    picture = gradient().convert(mode)
    alpha = np.zeros((120, 160), np.uint8)
    alpha[30:90, 40:120] = 255
    picture.putalpha(Image.fromarray(alpha))
    return picture


def palette():
    picture = Image.fromarray(np.pad(np.ones((60, 80), np.uint8), ((30, 30), (40, 40))))
    picture = picture.convert("P")
    picture.putpalette([200, 30, 90, 120, 120, 120])
    return picture


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("picture", "options"),
    [(see_through("RGB"), {}), (see_through("L"), {}), (palette(), {"transparency": 0})],
    ids=["RGBA", "LA", "palette"],
)
def test_transparency_is_laid_on_the_background_of_the_data(picture, options, channels, background, tmp_path):
    shape = (12, 16, channels)
    path = saved(picture, tmp_path / "x.png", **options)
    one, lines = shown(path, network(shape), dataset(shape, background))
    assert (one.pixels[:2] == background).all()
    assert f"laid on {'white' if background else 'black'}, the background of things" in lines[0]
    assert "a white background, the images" not in " ".join(lines)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (
            lambda: Image.fromarray(np.asarray(gradient().convert("L"), np.uint16) * 257),
            "reduced to 8 bits per channel (from 16 bits)",
        ),
        (
            lambda: Image.fromarray(np.asarray(gradient().convert("L"), np.float32) / 255),
            "reduced to 8 bits per channel (values from 0 to 1)",
        ),
    ],
)
def test_more_than_eight_bits_are_scaled_and_not_cut(image, said, net, tmp_path):
    one, lines = shown(saved(image(), tmp_path / "deep.tif"), net)
    plain, _ = shown(saved(gradient().convert("L"), tmp_path / "plain.png"), net)
    np.testing.assert_allclose(one.pixels.astype(int), plain.pixels, atol=1)
    assert said in lines[0]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("x.jpg", {"progressive": True}, "RGB to gray"),
        ("cmyk.jpg", {}, "converted from CMYK to RGB, RGB to gray"),
        ("x.gif", {"save_all": True, "append_images": FRAMES}, "only the first frame or page read (of 3)"),
        ("x.webp", {}, "RGB to gray"),
        ("x.bmp", {}, "160x120 pixels made smaller to 16x12"),
    ],
)
def test_other_kinds_of_file_are_the_same_picture(name, options, said, net, tmp_path):
    picture = gradient().convert("CMYK") if name == "cmyk.jpg" else gradient()
    one, lines = shown(saved(picture, tmp_path / name, **options), net)
    plain, _ = shown(saved(gradient(), tmp_path / "plain.png"), net)
    np.testing.assert_allclose(one.pixels.astype(int), plain.pixels, atol=12)
    assert said in lines[0]
    assert len(lines) == 1


@pytest.mark.parametrize("size", [(1, 1), (8000, 3), (3, 8000), (17, 12)])
def test_any_size_is_shown_whole_and_in_its_proportions(size, net, tmp_path):
    one, lines = shown(saved(Image.new("L", size, 180), tmp_path / "x.png"), net)
    assert one.pixels.shape == SHAPE
    assert (one.pixels == 180).all()  # what is left over has the color of the border
    assert f"{size[0]:,}x{size[1]:,} pixels" in lines[0]


def test_a_disc_stays_round(net, tmp_path):
    y, x = np.mgrid[-60:60, -60:60]
    path = saved(Image.fromarray(((x**2 + y**2 < 50**2) * 255).astype(np.uint8)), tmp_path / "disc.png")
    lit = shown(path, net)[0].pixels[..., 0] > 127
    rows, columns = lit.any(1).sum(), lit.any(0).sum()
    assert abs(int(rows) - int(columns)) <= 1
    assert abs(lit.sum() / (np.pi * rows * columns / 4) - 1) < 0.15


@pytest.mark.parametrize("background", [0, 255])
def test_a_picture_on_white_shown_to_a_network_trained_on_black_is_warned_of_and_can_be_inverted(
    background, net, tmp_path
):
    value = 255 - background
    path = saved(Image.new("L", (16, 12), value), tmp_path / "x.png")
    _, lines = shown(path, net, dataset(background=background))
    assert lines[-1].startswith(f"note: x.png has a {'white' if value else 'black'} background, the images of things")
    assert lines[-1].endswith("show it as a negative by --invert")
    one, lines = shown(path, net, dataset(background=background), invert=True)
    assert (one.pixels == background).all()
    assert lines == ["x.png: inverted"]


def sixteen(mode):
    values = np.asarray(gradient().convert("L"), np.uint16) * 257
    return Image.fromarray(values if mode == "I;16" else values.astype(np.int32))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "picture", "options"),
    [
        ("x.png", see_through("RGB"), {}),
        ("x.png", see_through("L"), {}),
        ("x.png", palette(), {"transparency": 0}),
        ("x.png", gradient().convert("P"), {}),
        ("x.png", gradient().convert("1"), {}),
        ("x.png", sixteen("I;16"), {}),
        ("x.png", sixteen("I;16"), {"transparency": 65535}),
        ("x.tif", sixteen("I;16"), {}),
        ("x.jpg", gradient().convert("CMYK"), {}),
        ("x.jpg", gradient(), {"exif": turned()}),
        ("x.gif", gradient(), {"save_all": True, "append_images": FRAMES}),
        ("x.tif", gradient().convert("YCbCr"), {}),
    ],
)
def test_a_picture_is_shown_as_it_was_learned_from(name, picture, options, channels, tmp_path):
    path = saved(picture, tmp_path / name, **options)
    learned, remarks = in_a_folder(name, path)
    shape = (*learned.shape[:2], channels)
    one, lines = shown(path, network(shape), dataset(shape, 255))
    as_gray = Image.fromarray(learned.squeeze()).convert("L" if channels == 1 else "RGB")
    np.testing.assert_array_equal(one.pixels, np.asarray(as_gray).reshape(shape))
    assert all(remark in " ".join(lines) for remark in remarks)


def cut(path):
    data = saved(gradient(), path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("name", "make", "text"),
    [
        ("cut.jpg", cut, "is not a picture that can be read (image file is truncated"),
        ("cut.png", cut, "is not a picture that can be read"),
        ("text.png", lambda path: path.write_text("hello"), "of no known format"),
        ("empty.png", lambda path: path.touch(), "an empty file"),
        ("ghost.png", lambda path: None, "does not exist"),
        ("ghost.xyz", lambda path: None, "does not exist"),
        ("script.png", lambda path: path.write_text("%!PS-Adobe-3.0\n"), "of no known format"),
    ],
)
def test_what_is_no_picture_is_one_sentence(name, make, text, net, tmp_path):
    make(tmp_path / name)
    with pytest.raises(InputError) as error:
        shown(tmp_path / name, net)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("3", ["test3"]),
        ("0:3", ["test0", "test1", "test2"]),
        ("9:", ["test9", "test10", "test11"]),
        ("3,5,1", ["test3", "test5", "test1"]),
        ("photos", ["a", "b"]),
        ("photos/*.png", ["b"]),
        ("photos/?.*", ["a", "b"]),
        ("2,photos/b.png", ["test2", "b"]),
        ("with, comma.png", ["with, comma"]),
        ("photos/a.jpg\nwith, comma.png", ["a", "with, comma"]),
        ("7.png,7", ["7", "test7"]),
    ],
)
def test_one_option_takes_numbers_ranges_files_folders_and_patterns(asked, names, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("photos/a.jpg", "photos/b.png", "with, comma.png", "7.png"):
        gradient().save(name)
    Path("photos/notes.txt").write_text("no picture")
    found = samples(predict.Predict(image=asked), net, Data(dataset))
    assert [one.name for one in found] == names


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("12", "things has no test image 12; they go from 0 to 11."),
        ("5:5", "The range 5:5 means none of the 12 images"),
        ("one", "Images are given as 3, 0:8 or 3,5,9, or as a picture, a folder or a pattern; it was 'one'."),
        ("", "it was ''"),
        ("3,", "it was '3,'"),
        ("nothing*.png", "The pattern 'nothing*.png' has no pictures"),
        ("void", "The folder void has no pictures"),
        ("many", "at most 64 images"),
        ("0:2:0", "means none"),
    ],
)
def test_images_that_are_not_there_are_said(asked, text, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("void").mkdir()
    Path("many").mkdir()
    for number in range(65):
        Image.new("L", (1, 1)).save(f"many/{number}.png")
    with pytest.raises(InputError) as error:
        samples(predict.Predict(image=asked), net, Data(dataset))
    assert text in str(error.value)


def test_images_is_another_name_of_image():
    assert attribute.Attributions(images="3").chosen == attribute.Attributions(image=3).chosen == "3"
    assert attribute.Attributions().chosen == "0:8"
    with pytest.raises(InputError, match=r"--image 3 and --images 0:8 are one option; give one of them\."):
        _ = attribute.Attributions(image="3", images="0:8").chosen


@pytest.mark.parametrize(
    "kind", [activations.Activations(image="4,photo.png"), predictions.Predictions(image="4,photo.png")]
)
def test_of_several_images_each_has_pictures_with_its_name(kind, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gradient().save("photo.png")
    found = kind([net], Data(dataset))
    named = [picture.name for picture in found if picture.name.endswith(("_test4", "_photo"))]
    assert len(named) == 2 * len({name.rpartition("_")[0] for name in named}) > 0
    assert len({picture.name for picture in found}) == len(found)
    places = [picture.subject["image"] for picture in found if "image" in picture.subject]
    assert {"dataset": "things", "split": "test", "index": 4} in places
    assert {"file": "photo.png"} in places


def test_pictures_of_the_same_name_are_told_apart(net, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        gradient().save(tmp_path / folder / "x.png")
    found = predict.Predict(image=f"{tmp_path}/*/x.png")([net], Data())
    assert [picture.name for picture in found] == ["predict_a-x", "predict_b-x"]


def test_an_attribution_of_a_picture_of_one_s_own_has_its_name_and_no_true_class(net, tmp_path):
    path = saved(gradient(), tmp_path / "photo.png")
    asked = attribute.Attributions(methods="gradient", image=f"1,{path}")
    (picture,) = asked([net], Data(dataset))
    assert picture.title.startswith("net on 1 test image of things and photo.png: ")
    assert picture.subject["image"] == {"index": [1], "file": ["photo.png"]}
    assert picture.numbers["images"].shape == (2, *SHAPE)
    (alone,) = attribute.Attributions(methods="gradient", image=str(path))([net], Data())
    np.testing.assert_allclose(alone.numbers["gradient"][0, 0], picture.numbers["gradient"][0, 1], atol=1e-6)
    with pytest.raises(InputError, match=r"photo\.png has no label to explain"):
        attribute.Attributions(methods="gradient", image=str(path), target="label")([net], Data())


def test_a_signal_is_no_picture(tmp_path):
    path = saved(gradient(), tmp_path / "photo.png")
    with pytest.raises(InputError, match=r"signals takes inputs of 16x1, not pictures"):
        shown(path, Net("signals", None, [{}], [], (16, 1)))
    with pytest.raises(InputError, match=r"network that takes 2 channels; a picture has 1, 3 or 4 of them"):
        shown(path, Net("pairs", None, [{}], [], (12, 16, 2)))


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("RUN a.png b.JPG", "RUN --image a.png\nb.JPG"),
        ("a.png", "--image a.png"),
        ("--image a.png b.png RUN", "RUN --image a.png\nb.png"),
        ("RUN --images 0:8 --split train", "RUN --split train --image 0:8"),
        ("RUN --image=a.png --debug b.png", "RUN --debug --image a.png\nb.png"),
        ("RUN --out c.png a.png", "RUN --out c.png --image a.png"),
        ("RUN --image", "RUN --image"),
        ("RUN --image 0 --image 5", "RUN --image 0\n5"),
        ("RUN --image 3 --images=3", "RUN --image 3"),
    ],
)
def test_pictures_are_told_from_other_arguments(typed, means):
    assert gathered(typed.split(), visualize.options_of("activations"), every=False) == means.split(" ")


@pytest.mark.parametrize(
    ("typed", "both"),
    [
        ("RUN --image 0 --images 1", "--image 0 and --images 1"),
        ("--images=1 RUN --image a.png", "--image a.png and --images 1"),
        ("RUN --images 1 --debug --image 0 --image 2", "--image 0,2 and --images 1"),
    ],
)
def test_two_spellings_of_one_option_have_one_value(typed, both):
    with pytest.raises(InputError, match=rf"^{both} are one option; give one of them\.$"):
        gathered(typed.split(), visualize.options_of("activations"), every=False)


def test_of_predict_everything_after_the_run_is_a_picture():
    asked = lambda every: gathered(["RUN", "photos", "3"], visualize.options_of("predict"), every)
    assert asked(True) == ["RUN", "--image", "photos\n3"]
    assert asked(False) == ["RUN", "photos", "3"]
    assert gathered(["RUN", "a.png"], visualize.options_of("curves"), False) == ["RUN", "a.png"]


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("x.heic", "--image x.heic"),
        ("a.png x.heic none.svg", "--image a.png\nx.heic\nnone.svg"),
        ("there.gifs none.xyz", "--image there.gifs\nnone.xyz"),
        ("net.v2 none.xyz", "net.v2 --image none.xyz"),
        ("net.v2@3 x.heic", "net.v2@3 --image x.heic"),
        ("net.v3", "net.v3"),  # of which net.v2 may have been meant
        ("net.onnx", "net.onnx"),
        ("net.h5", "net.h5"),
        ("lr0.1", "lr0.1"),
        ("runs/net.v2/config.json", "runs/net.v2/config.json"),
    ],
)
def test_of_predict_a_word_that_is_named_like_no_network_is_a_picture(typed, means, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/net.v2/checkpoints").mkdir(parents=True)
    for name in ("runs/net.v2/config.json", "there.gifs", "x.heic"):
        Path(name).touch()
    assert gathered(typed.split(), visualize.options_of("predict"), every=True) == means.split(" ")


@pytest.mark.parametrize("typed", ["predict", "predict a.png", "attribute", "activations --image", ""])
@pytest.mark.parametrize("name", ["x.heic", "y.pdf", "none.svg", "none.jpg"])
def test_what_is_named_like_a_picture_gets_the_sentence_of_a_picture(typed, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved(gradient(), "a.png")
    for made in ("x.heic", "y.pdf"):
        Path(made).write_bytes(b"of another format")
    assert visualize.main([*typed.split(), name]) == 2
    says = "is not a picture that can be read (of no known format); save it as PNG or JPEG, or leave it out."
    says = says if Path(name).exists() else "does not exist; give a picture, a folder of pictures or a pattern."
    assert capsys.readouterr().err == f"visualize.py: {name} {says}\n"


def test_a_data_set_that_is_only_of_use_is_passed_over_unless_it_was_asked_for(net, tmp_path):
    def find():
        raise InputError("things does not fit.")

    kind = predict.Predict(image=str(saved(gradient(), tmp_path / "photo.png")))
    assert len(kind([net], Data(find))) == 1
    with pytest.raises(InputError, match=r"^things does not fit\.$"):
        kind([net], Data(find, is_asked=True))


def test_the_table_has_the_likeliest_classes_and_the_file_all(net, tmp_path):
    path = saved(gradient(), tmp_path / "photo.png")
    (picture,) = predict.Predict(image=str(path), top=1)([net], Data())
    assert [row["image"] for row in picture.table] == ["photo.png"]
    assert picture.table[0]["class"] == picture.numbers[0]["class"]
    assert sum(row["probability"] for row in picture.numbers) == pytest.approx(1)
    assert files.write(picture, tmp_path, data=True)[1].suffix == ".csv"
    assert "160x120 pixels made smaller to 16x12" in picture.caption
    drawn = [ax.images[0].get_array().shape for ax in picture.draw().axes if ax.images]
    assert drawn == [(120, 160, 3), SHAPE[:2]]
