"""A second command with other options overwrites nothing: what changes a picture changes the name of its file."""

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
from test_pictures import make_dataset, make_run

from cnnviz.commands.origin import Origin
from cnnviz.commands.several import common_variant
from cnnviz.models.cnn import CNN
from cnnviz.pictures import PICTURES, files
from cnnviz.pictures.compare import Compare, Comparison
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data
from cnnviz.registry import resolve

DATASET = make_dataset((12, 12, 1))
FEW = {"images": "0:3", "steps": 1, "epsilons": "0.1", "methods": "gradient"}
CHANGES = [
    ("activations", {}, {"layer": "conv2", "image": "1", "split": "train", "scale": "map"}),
    ("responses", {}, {"layer": "conv2", "image": "1", "channels": "0:2"}),
    ("attribute", {"images": "0:2", "methods": "gradient"}, {"scale": "shared", "overlay": True, "target": "label"}),
    ("predict", {}, {"image": "1", "top": 3}),
    ("layers", {}, {"layer": "conv*", "depth": 1}),
    ("embed", {}, {"layer": "relu1", "images": "0:20", "split": "train"}),
    ("probe-accuracy", {"fit": 20}, {"fit": 25, "layer": "conv1", "untrained": True}),
    ("ablation", {"steps": 3, "draws": 2}, {"instead": "mean", "draws": 3, "layer": "relu1"}),
    ("evaluate", {"metrics": "complexity", "images": "0:3"}, {"metrics": "sparseness", "target": "label"}),
]


@pytest.fixture(scope="module")
def net():
    return make_run(CNN(width=4, hidden=9), (12, 12, 1))


def written(kind, net, options):
    made = resolve(PICTURES, kind, "picture")(**options)
    pictures = made([net], Data(lambda: DATASET))
    return {files.file_name(p.name + files.shown(p.name, p.subject) + made.variant) for p in pictures}


@pytest.mark.parametrize(("kind", "usual", "changes"), CHANGES, ids=[kind for kind, *_ in CHANGES])
def test_a_picture_with_another_option_is_another_file(kind, usual, changes, net):
    before = written(kind, net, usual) - {"image_test0"}  # which is the same, whatever the layer
    for name, value in changes.items():
        assert not before & written(kind, net, {**usual, name: value}), name


@pytest.mark.parametrize("kind", PICTURES)
def test_what_names_say_anyway_are_options_of_the_kind_and_usual_ones_are_not_said(kind):
    made = resolve(PICTURES, kind, "picture")
    own = {each.name for each in fields(made)} | {"layer", "image", "images", "split"}
    assert own >= made.NAMED
    assert made().variant == ""


def test_each_part_of_a_comparison_says_its_own_options(net):
    parts = Compare(parts="settings,performance").with_options({"resamples": 150, "level": 0.9})
    assert isinstance(parts, Comparison)
    other = make_run(CNN(width=4, hidden=8), (12, 12, 1))
    found = {p.name: "".join(p.subject.get("variants", ())) for p in parts([net, other], Data(lambda: DATASET))}
    assert found["settings"] == ""
    assert found["performance"] == "_level-0.9_resamples-150"


def test_another_output_or_size_of_images_is_said():
    class Options:
        output, resize, prepare = "age", "32", None

    assert common_variant(Options()) == "_output-age_resize-32"
    assert common_variant(object()) == ""


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_a_picture_of_something_else_is_kept_and_of_the_same_is_replaced(format, net, tmp_path):
    (picture,) = resolve(PICTURES, "curves", "picture")()([net], Data())
    write = lambda of, **own: files.write(picture, tmp_path, own.pop("format", format), about={"of": of}, **own)
    first, second = "0123456789abcdef", "fedcba9876543210"
    assert [path.name for path in write(first, data=True)] == [f"curves.{format}", "curves.csv"]
    kept = (tmp_path / "curves.csv").stat().st_mtime_ns
    assert [path.name for path in write(second, data=True)] == [f"curves~fedcba98.{format}", "curves~fedcba98.csv"]
    assert [path.name for path in write(second, format="svg")] == ["curves~fedcba98.svg"]  # also in another format
    assert (tmp_path / "curves.csv").stat().st_mtime_ns == kept
    assert [path.name for path in write(first)] == [f"curves.{format}"]
    assert [path.name for path in files.write(picture, tmp_path, format)] == [f"curves.{format}"]


def test_what_a_picture_is_of_depends_on_its_files_and_outside_of_a_run_on_the_network(net, tmp_path):
    shown = {(tmp_path / folder / "x.png", False, (4, 4, 1)): None for folder in ("a", "b")}
    data = [SimpleNamespace(photographs=dict([each])) for each in shown.items()]
    of_file, of_none = (SimpleNamespace(subject={"image": image}) for image in ({"file": "x.png"}, {}))
    runs = [replace(net, path=tmp_path / name) for name in ("one", "two")]
    of = lambda run, place, picture, folder: Origin(run, str(run.path), None, data[place], []).of(picture, folder)
    own, other = runs[0].folder, tmp_path / "paper"
    assert of(runs[0], 0, of_file, own) != of(runs[0], 1, of_file, own)
    assert of(runs[0], 0, of_none, own) == of(runs[0], 1, of_none, own) == of(runs[1], 0, of_none, runs[1].folder)
    assert of(runs[0], 0, of_none, other) != of(runs[1], 0, of_none, other)


def test_the_page_and_what_is_drawn_afresh_are_said(net):
    assert Page(font="DejaVu Serif", dpi=300).suffix == "_DejaVu Serif_300dpi"
    drawn = SimpleNamespace(is_drawn=True, seed=3)
    one = SimpleNamespace(beginnings=drawn, data={}, path=None)
    asked = SimpleNamespace(is_asked=True, used=SimpleNamespace(name="mnist"))
    own, other = ({"image": {"file": "x.png"}}, {"image": {"dataset": "garments"}})
    variant = lambda subject: Origin(one, None, None, asked, []).variant(SimpleNamespace(subject=subject))
    assert variant(own) == "_mnist_untrained-seed3"
    assert variant(other) == "_garments_untrained-seed3"
