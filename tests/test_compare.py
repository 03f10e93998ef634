"""The command that compares networks: what it draws, writes and says, and what it refuses."""

import csv
import json
import re
import shlex
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from test_pictures import RECORD, make_dataset, make_run

from cnnviz import networks
from cnnviz.commands import console, several, train, visualize
from cnnviz.comparison.estimates import Estimate, PValue
from cnnviz.errors import InputError
from cnnviz.figures.by_layer import by_layer
from cnnviz.figures.fonts import FONT
from cnnviz.figures.style import drawn_in
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures import GROUPS, written
from cnnviz.pictures.compare import Compare
from cnnviz.pictures.compared import PARTS
from cnnviz.pictures.compared.disagreements import Disagreements
from cnnviz.pictures.compared.settings import _said
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data, Skipped

RANDOM = np.random.default_rng(0)
FAST = {"resamples": 200}
OF_ANSWERS = "settings,training,performance,classes,calibration,disagreements,churn"  # others have tests of their own


def jittered(net, name, seeds, spread=0.05):
    """The network with members whose weights differ a little."""
    import jax

    draw = lambda leaf: np.asarray(leaf) + spread * RANDOM.normal(size=leaf.shape).astype(np.float32)
    members = [jax.tree.map(draw, net.variables) for _ in range(seeds)]
    history = [record | {"seed": seed} for seed in range(seeds) for record in net.history]
    beginnings = [net.untrained] * seeds
    return replace(net, name=name, members=members, beginnings=beginnings, seeds=tuple(range(seeds)), history=history)


@pytest.fixture(scope="module")
def net():
    return make_run(DenseNetwork(), history=[RECORD | {"epoch": i, "step": 2 * i} for i in (1, 2, 3)])


@pytest.fixture(scope="module")
def data():
    dataset = make_dataset()
    labels = np.arange(200, dtype=np.int32) % 10
    images = RANDOM.integers(0, 256, (200, 28, 28, 1), dtype=np.uint8)
    return replace(dataset, test=type(dataset.test)(images, labels))


def test_names_under_images_are_never_broken_or_cut(net, data):
    long, others = [jittered(net, name, 1) for name in ("seeds (seed 0, one of 3)", "seeds (seed 1, one of 3)")], []
    for nets in (long, [replace(each, name=name) for each, name in zip(long, ("best", "worst"), strict=True)]):
        picture = Disagreements()(nets, Data(lambda: data))[0]
        for width in ("column", "slide"):
            texts = [text.get_text() for ax in picture.figure(Page(width=width)).axes for text in ax.texts]
            others.append({re.sub(r"\d+", "#", line) for text in texts for line in text.splitlines()[1:3]})
        assert ("Network a is seeds (seed 0, one of 3), and b is seeds (seed 1" in picture.caption) == (nets is long)
    assert others == [{"#% a", "#% b"}] * 2 + [{"#% best", "#% worst"}] * 2


@pytest.fixture(scope="module")
def three(net):
    return [jittered(net, "one recipe", 3), jittered(net, "another recipe", 2), jittered(net, "a single seed", 1)]


def compared(nets, dataset, parts=None, notes=None, **options):
    told = [] if notes is None else notes
    return Compare(parts=parts).with_options(FAST | options)(nets, Data(lambda: dataset, told.append))


@pytest.mark.parametrize("page", [Page("column"), Page("column", "paper"), Page("text"), Page("slide"), Page()])
def test_no_text_is_cut_off_or_overlaps_another(three, data, page):
    for picture in compared(three, data, OF_ANSWERS):
        figure = picture.figure(page)
        make_drawable(figure, FONT)
        assert cut_off(figure) == [], picture.name
        assert overlapping(figure) == [], picture.name


@pytest.mark.parametrize("page", [Page("column"), Page("slide")])
def test_every_value_is_within_its_panel_and_accuracies_have_one_scale(three, data, page):
    for picture in compared(three, data, "performance,classes,churn"):
        axes = [ax for ax in picture.figure(page).axes if ax.axison]
        for ax in axes:
            values = [x for line in ax.get_lines() for x in np.ravel(line.get_xdata())]
            assert ax.get_xlim()[0] <= np.nanmin(values) <= np.nanmax(values) <= ax.get_xlim()[1], picture.name
        if picture.name == "classes":
            assert len({ax.get_xlim() for ax in axes[:3]}) == 1


def test_each_part_has_its_pictures_and_those_that_do_not_apply_are_said(three, data):
    notes = []
    found = {picture.name: picture for picture in compared(three, data, notes=notes)}
    assert {"settings", "performance", "differences", "classes", "reliability", "churn"} <= set(found)
    assert [line for line in notes if line.startswith("compare: training is left out. No network has a history")]
    rows = found["performance"].table
    assert [(row["network"], row["interval over"]) for row in rows] == [
        ("one recipe", "images"),
        ("one recipe", "3 seeds"),
        ("another recipe", "images"),
        ("another recipe", "2 seeds"),
        ("a single seed", "images"),
    ]
    assert "One seed, so without an interval over seeds: a single seed." in found["performance"].caption
    assert len(found["differences"].table) == 4  # three pairs, one of which has seeds on both sides
    assert "after Holm's correction" in found["differences"].caption
    assert len(found["classes"].table) == 10


def test_the_same_network_twice_has_a_difference_of_exactly_zero(net, data):
    found = {picture.name: picture for picture in compared([net, net], data)}
    assert "every difference is exactly 0" in found["differences"].caption
    (row,) = found["differences"].table
    assert [row[name] for name in ("accuracy", "loss", "ECE", "Brier")] == [Estimate(0.0, 0.0, 0.0)] * 4
    assert row["pair"] == "a run [1] − a run [2]"
    assert "are exactly the same" in found["performance"].caption
    assert "a_right_b_wrong" not in found


def test_networks_for_other_images_are_said_and_the_others_compared(net, data):
    wide = replace(make_run(DenseNetwork(), (8, 8, 1)), name="for small images")
    found = {picture.name: picture for picture in compared([net, replace(net, name="b"), wide], data, "performance")}
    assert "Left out, since images of things are 28x28x1: for small images (8x8x1)." in found["performance"].caption
    assert [row["network"] for row in found["performance"].table] == ["a run", "b"]


def test_networks_of_other_classes_and_of_another_data_set_are_said(net, data):
    other = replace(net, name="b", classes=tuple(f"class {i}" for i in range(10)))
    few = replace(make_run(DenseNetwork(classes=4)), name="c", classes=("u", "v", "w", "x"))
    trained = lambda one: replace(one, data={"name": "something else"})
    (found, *_) = compared([trained(net), trained(other), trained(few)], data, "performance")
    assert "b has other names of classes; they are matched by their numbers." in found.caption
    assert "c tells 4 other classes apart." in found.caption
    assert "None of the networks was trained on things." in found.caption
    assert [row["network"] for row in found.table] == ["a run", "b"]


def test_settings_are_words(runs, net, data):
    a, b = (networks.open(runs / "runs" / name) for name in "ab")
    own = {**b.config, "data": {**b.config["data"], "limit": 50, "resize": [3, 4]}, "model_options": {"width": 8}}
    own |= {"recipe": {**b.config["recipe"], "flip": True}, "prepare": {"scale": 1.0, "mean": [0.5, 0.25]}}
    (picture,) = compared([a, replace(b, config=own)], data, "settings")
    found = {row["setting"]: (row[a.name], row[b.name]) for row in picture.table}
    assert found["limit of images"] == ("none", "50")
    assert found["mean of pixels"] == ("none", "0.5, 0.25")
    assert found["flip"] == ("no", "yes")
    (picture,) = compared(
        [replace(b, config=own, name="c"), replace(b, name="d", config={**own, "seeds": 7})], data, "settings"
    )
    names = [row["setting"] for row in picture.table]
    assert {"images resized to", "model's width", "data set"} <= {*names}
    assert not any("." in name or "None" in row.values() for name, row in zip(names, picture.table, strict=True))


def test_a_setting_that_a_file_does_not_tell_is_no_difference(runs, net, data):
    a, b = (networks.open(runs / "runs" / name) for name in "ab")
    (picture,) = compared([a, b, net], data, "settings")
    found = {row["setting"]: row for row in picture.table}
    assert found["learning_rate"][b.name] == "0.01"
    assert found["learning_rate"][net.name] == "–"
    assert "epochs" not in found
    assert f"How {net.name} was trained is not recorded." in picture.caption


def test_panels_have_only_the_layers_of_which_they_have_values():
    one = np.ones(1)
    panels = {name: {"a": {"conv": one, "dense": one}} for name in ("size", "rank")}
    figure = by_layer(["conv", "dense"], {**panels, "drift": {"a": {"conv": one}}, "cosine": {"a": {"conv": one}}})
    rows = [len(ax.get_yticks()) for ax in figure.axes if ax.axison]
    assert rows == [2, 2, 2, 2]  # side by side
    with drawn_in(Page("column").drawn):
        figure = by_layer(["conv", "dense"], {**panels, "drift": {"a": {"conv": one}}, "cosine": {"a": {"conv": one}}})
    assert [len(ax.get_yticks()) for ax in figure.axes if ax.axison] == [2, 2, 1, 1]


def test_settings_that_one_network_does_not_record_are_not_called_the_same():
    assert _said(33, 33, 1) == "32 other settings are the same."
    assert _said(33, 32, 1) == "31 other settings are the same. 1 is not known of every network, and is left out."
    assert _said(33, 5, 1) == "4 other settings are the same. 28 are not known of every network, and are left out."
    assert _said(33, 4, 0).startswith("All settings are the same. 29 are not known")


def test_without_a_data_set_settings_and_weights_are_compared(net):
    notes = []
    found = Compare()([net, replace(net, name="b")], Data(lambda: None, notes.append))
    names = {picture.name for picture in found}
    assert {"settings", "weights", "weights_differences", "matching"} <= names
    assert not names & {"performance", "churn", "path"}
    assert any("name one with --dataset" in note for note in notes)
    with pytest.raises(Skipped, match="no data set"):
        Compare(parts="churn")([net, net], Data())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"parts": "preformance"}, "'preformance' is not a part of a comparison; did you mean 'performance'"),
        ({"level": 2.0}, "between 0 and 1"),
        ({"resamples": 1}, "resamples must be at least 100"),
        ({"bins": 0}, "bins must be from 1 to 1000"),
        ({"split": "val"}, "'val' is not a split"),
    ],
)
def test_an_invalid_option_is_an_error_of_one_sentence(net, data, options, text):
    with pytest.raises(InputError, match=text):
        compared([net, replace(net, name="b")], data, **options)


def test_options_of_parts_are_options_of_the_command():
    options = visualize.options_of("compare")
    made = console.parse(options, ["runs/a", "--level", "0.9", "--resamples", "500", "--bins", "10"], "x")
    its = visualize.kind_with(Compare, made).parts
    assert (its["performance"].level, its["performance"].resamples, its["calibration"].bins) == (0.9, 500, 10)
    assert GROUPS["compare"] == "cnnviz.pictures.compared:PARTS"
    assert list(its) == list(PARTS)


@pytest.mark.parametrize(
    ("typed", "run", "others"),
    [
        ("a b", "a", ["b"]),
        ("a@1 --level 0.9 b c:step_4", "a@1", ["b", "c:step_4"]),
        ("a --others b,c", "a", ["b", "c"]),
        ("b --model net.py:Net --weights w.npz", None, ["b"]),
    ],
)
def test_all_networks_after_the_first_are_the_others(typed, run, others):
    options = visualize.options_of("compare")
    made = console.parse(options, several.gathered(shlex.split(typed), options), "x")
    assert (made.run, several.places(made.others)) == (run, others)


ROWS = [
    {"network": "a_1", "accuracy": Estimate(0.5, 0.4, 0.6), "p": PValue(1e-9), "images": 1234},
    {"network": "b|2", "accuracy": Estimate(0.25, float("nan"), float("nan")), "p": PValue("nan"), "images": 2},
]


def test_steps_of_one_training_are_drawn_once(net, data):
    at = lambda name: replace(net, name=name, path=Path("runs/a"), seeds=(0,))
    end, step, other = (with_config(each) for each in (at("end"), at("step"), replace(net, name="other")))
    (found,) = compared([end, step, other], data, "training")
    assert found.subject["networks"] == ["end", "other"]
    assert "Of a training that is drawn already: step." in found.caption
    assert "Without a history" not in found.caption


def with_config(net):
    """The network with a config, as that of a run."""
    return type("Configured", (type(net),), {"config": {"recipe": {"batch_size": 30}}})(**vars_of(net))


def vars_of(net):
    return {field.name: getattr(net, field.name) for field in fields(net)}


def test_a_class_is_tested_as_all_images_are_with_holms_correction_over_classes(three, data):
    found = {picture.name: picture for picture in compared(three, data)}["classes"]
    tests = [[row[name] for name in row if name.startswith("Holm p, ")] for row in found.table]
    assert np.shape(tests) == (10, 3)
    assert "by Holm's correction for 30 tests" in found.caption


def test_wide_tables_go_on_below_and_a_value_off_its_middle_has_both_ends():
    rows = [
        {"network": f"network {i}"} | {f"measure number {k}": Estimate(0.5, 0.4, 0.6) for k in range(9)} for i in "ab"
    ]
    text = written.as_latex(rows, "Title", "tab:x")
    lines = [line for line in text.splitlines() if line.startswith("  network &")]
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == len(lines) > 1
    assert sum(line.count("measure number") for line in lines) == 9
    assert max(len(line.replace("\\pm", "±")) for line in text.splitlines()) < 130
    assert text.count("\\caption") == text.count("\\label") == 1
    assert "$0.0100$ ($0.0000$ to $0.0104$)" in written.as_latex([{"ECE": Estimate(0.01, 0.0, 0.0104)}])
    assert "$-0.5000$" in written.as_latex([{"mean": -0.5}])


def test_tables_are_written_as_csv_markdown_and_latex(tmp_path):
    paths = written.write_tables(ROWS, tmp_path, "x", "Title")
    assert [path.name for path in paths] == ["x_table.csv", "x_table.md", "x_table.tex"]
    first, second = csv.DictReader(paths[0].open())
    assert (float(first["accuracy low"]), float(first["p"]), first["images"]) == (0.4, 1e-9, "1234")
    assert second["network"] == "b|2"
    markdown = paths[1].read_text().splitlines()
    assert markdown[:2] == ["| network | accuracy | p | images |", "| --- | ---: | ---: | ---: |"]
    assert markdown[2] == "| a_1 | 0.5000 (0.4000 to 0.6000) | <0.0001 | 1,234 |"
    assert "b\\|2" in markdown[3]
    latex = paths[2].read_text()
    assert r"a\_1 & $0.5000 \pm 0.1000$ & \textless{}0.0001 & 1,234 \\" in latex
    assert "\\toprule" in latex
    assert "{lrrr}" in latex
    assert written.write_tables([], tmp_path, "y") == []


@pytest.fixture(scope="module")
def runs(tmp_path_factory, toy):
    """Two runs on the toy images, one of two seeds and one of one."""
    images, labels = map(np.asarray, toy)
    folder = tmp_path_factory.mktemp("compare")
    path = folder / "toy.npz"
    np.savez(path, x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        own = ["--dataset", str(path), "--model", "dense", "--epochs", "2", "--batch-size", "30"]
        assert train.main([*own, "--name", "a", "--seeds", "2"]) == 0
        assert train.main([*own, "--name", "b", "--learning-rate", "0.01"]) == 0
    return folder


def test_runs_are_compared_in_one_command(runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    command = "compare runs/a runs/b --resamples 200 --width column --style paper"
    assert visualize.main(shlex.split(command)) == 0
    said, folder = capsys.readouterr().out, Path("figures/a_vs_b")
    names = {path.name for path in folder.iterdir()}
    for part in ("settings", "training", "performance", "differences", "classes", "reliability", "churn"):
        assert any(re.fullmatch(rf"{part}(_resamples-200)?_column_paper\.png", name) for name in names)
    assert {f"differences_resamples-200_column_paper_table.{ending}" for ending in ("csv", "md", "tex")} <= names
    assert "learning_rate" in said
    with (folder / "comparison_resamples-200_column_paper_table.csv").open(newline="") as file:
        whole = list(csv.DictReader(file))
    with (folder / "performance_resamples-200_column_paper_table.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    found = next(row for row in whole if (row["part"], row["number"]) == ("performance", "accuracy"))
    assert [found[name] for name in ("value", "value low", "value high")] == [
        first[name] for name in ("accuracy", "accuracy low", "accuracy high")
    ]
    assert found["of"] == f"{first['network']}; interval over images"
    assert {"performance", "differences", "churn"} <= {row["part"] for row in whole}
    assert "\\begin{longtable}" in (folder / "comparison_resamples-200_column_paper_table.tex").read_text()
    assert (folder / "comparison_resamples-200_column_paper_table.tex").read_text().count("\\label") == 1
    facts = json.loads((folder / "provenance_resamples-200_column_paper.json").read_text())
    assert facts["command"].endswith(command)
    assert [one["where"] for one in facts["networks"]] == ["runs/a", "runs/b"]
    assert [len(one["variables"]) for one in facts["networks"]] == [2, 1]
    assert set(facts["files"]) == names - {"provenance_resamples-200_column_paper.json"}
    assert len(facts["networks"][0]["files"]["config.json"]) == 64
    assert facts["shown"]["fingerprint"] == networks.open("runs/a").data["fingerprint"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert visualize.main(shlex.split(command)) == 0  # which makes the same bytes again
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_second_comparison_in_a_folder_overwrites_nothing_of_the_first(runs, monkeypatch, tmp_path):
    monkeypatch.chdir(runs)
    found: dict[str, bytes] = {}
    for parts, said in (("settings", "settings"), ("settings, weights", "settings+weights")):
        assert visualize.main(["compare", "runs/a", "runs/b", "--parts", parts, "--out", str(tmp_path)]) == 0
        made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert all(made[name] == content for name, content in found.items() if not name.endswith(".png"))
        facts = json.loads(made[f"provenance_parts-{said}.json"])
        assert set(facts["files"]) == made.keys() - {f"provenance_parts-{each}.json" for each in ("settings", said)}
        found = made
    assert "comparison_parts-settings+weights_table.csv" in found


def test_data_with_other_classes_are_shown_to_the_classes_that_networks_know(runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    with np.load("toy.npz") as toy:
        arrays = dict(toy)
    known = {split: arrays[f"y_{split}"] < 3 for split in ("train", "test")}
    few = {name: values[known[name[2:]]] for name, values in arrays.items()}
    np.savez("few.npz", **few)
    np.savez("none.npz", **few, classes=np.array(["x", "y", "z"]))
    typed = "compare runs/a runs/b --parts performance,similarity --resamples 200 --style paper --out shown"
    assert visualize.main(shlex.split(f"{typed} --dataset few.npz")) == 0
    for name in ("performance", "similarity_a_b"):
        (caption,) = (path for path in Path("shown").glob(f"{name}*.tex") if "table" not in path.stem)
        assert "None of the networks was trained on few." in caption.read_text()
    capsys.readouterr()
    assert visualize.main(shlex.split(f"{typed} --dataset none.npz")) == 0
    assert "performance is left out. None of the networks knows a class of x, y, z" in capsys.readouterr().out


def test_seeds_of_one_run_and_its_steps_are_compared(runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    assert visualize.main(shlex.split("compare runs/a --parts churn")) == 0
    assert "seeds of a" in capsys.readouterr().out
    assert visualize.main(shlex.split("compare runs/a@0 runs/b:step_0 --parts performance --resamples 200")) == 0
    assert "b at step 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("compare", "takes two networks or more"),
        ("compare runs/b", "takes two networks or more, or a run of several seeds; only b was given"),
        ("compare runs/a runs/c", "runs/c does not exist"),
        ("compare runs/a runs/b@7", "has no seed 7"),
        ("compare runs/a runs/b:step_5", "step"),
        ("compare runs/a runs/b --member 1", "--member 1 is of one network"),
        ("compare runs/a runs/b --parts wights", "'wights' is not a part of a comparison"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(runs, monkeypatch, capsys, typed, text):
    monkeypatch.chdir(runs)
    assert visualize.main(shlex.split(typed)) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error
