"""The commands as a user types them: what is printed, which files there are, and how faults are told."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from cnnviz import data as data_sets
from cnnviz import runs
from cnnviz.commands import output, tables, train, visualize
from cnnviz.commands.main import _named
from cnnviz.commands.main import run as start
from cnnviz.commands.tables import show
from cnnviz.errors import InputError
from cnnviz.interop.weights.safetensors import serialized
from cnnviz.runs.lock import locked

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    """A folder of runs with one finished run, "toy"."""
    folder = tmp_path_factory.mktemp("runs")
    assert train.main(arguments(data, folder, "toy")) == 0
    return folder


def arguments(data, folder, name, *more):
    usual = {
        "--dataset": data,
        "--runs": folder,
        "--name": name,
        "--epochs": 2,
        "--model": "cnn",
        "--recipe": "classic",
    }
    own = [each for option, value in usual.items() if option not in more for each in (option, value)]
    return list(map(str, [*own, *more]))


def test_a_run_has_everything_that_was_asked_and_measured(folder, data, capsys):
    run = folder / "toy"
    assert {path.name for path in run.iterdir()} >= {"config.json", "environment.json", "metrics.jsonl", "summary.json"}
    summary = json.loads((run / "summary.json").read_text())
    assert 0 <= summary["test_accuracy"] <= 1
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert train.main(arguments(data, folder, "again")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("epoch")] == ["epoch", "epoch"]
    one, other = runs.load_run(run), runs.load_run(folder / "again")
    assert serialized(one.variables) == serialized(other.variables)


@pytest.mark.slow
def test_all_pictures_and_their_numbers_are_written(folder, capsys):
    assert visualize.main([str(folder / "toy"), "--data", "--format", "svg"]) == 0
    written = [line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line]
    assert {kind for kind, _ in written} == set(visualize.PICTURES) - set(visualize.ON_REQUEST)
    assert all(Path(path).stat().st_size > 0 for _, path in written)
    assert all(Path(path).parent == folder / "toy" / "figures" for _, path in written)


def test_tables_are_printed_as_well_as_drawn(folder, tmp_path, capsys):
    run = runs.load_run(folder / "toy")
    assert visualize.main([str(folder / "toy"), "--out", str(tmp_path), "--layer", "0,-1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    weights = np.asarray(run.variables["params"]["conv1"]["kernel"])
    assert ["conv1", "Conv", "12x12x32", "320", "3x3", "0"] in lines
    shown = ["conv1", "trained", "3x3x1x32", f"{weights.mean():.8g}", f"{weights.std():.8g}"]
    assert shown in lines
    assert [*shown, *map(str, np.histogram(weights, 10)[0])] in lines
    accuracy = json.loads((folder / "toy" / "summary.json").read_text())["test_accuracy"]
    assert ["50", str(round(50 * accuracy)), f"{accuracy:.4f}"] in [line[-3:] for line in lines]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_tables_are_printed_in_any_encoding_and_as_wide_as_they_are(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    with output.guarded():
        show([{"layer": "é\x1b[31m" + 200 * "x", "parameters": "1,000"}, {"layer": "b", "parameters": "2"}])
    lines = stream.buffer.getvalue().decode(encoding).splitlines()
    assert any("  1,000" in line and 200 * "x" in line for line in lines)
    assert any("      2" in line for line in lines)
    assert "\x1b" not in "".join(lines)


WIDE = {
    "run": ["fashion_mnist-dense-1", "toy-1"],
    "recipe": ["fast with learning_rate 0.002, optimizer adamw", "fast"],
    "data": ["fashion_mnist", "한국어한국어한국어"],
    "accuracy": ["0.9467 (val)", ""],
    "when": ["2026-11-28 13:43:16", "2026-11-28 13:43:16"],
}


@pytest.mark.parametrize(("width", "count"), [(140, 1), (80, 2), (60, 3), (40, 4)])
def test_a_table_fits_a_terminal_in_blocks_without_breaking_a_word(width, count, monkeypatch, capsys):
    monkeypatch.setattr(tables, "_terminal_width", lambda: width)
    show([dict(zip(WIDE, cells, strict=True)) for cells in zip(*WIDE.values(), strict=True)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert sum(line.split()[:1] == ["run"] for line in lines) == count
    words = {word for line in lines for word in line.split()}
    wanted = {word for name, cells in WIDE.items() for cell in (name, *cells) for word in cell.split()}
    assert len(wanted - words) == (width == 40)  # which is too narrow for the first column and the widest word


def test_each_block_of_a_table_begins_with_all_that_tells_its_rows_apart():
    texts = {"learning_rate": ["learning_rate", "0.001"], "flip": ["flip", "True"], "run": ["run", 45 * "x"]}
    found = tables.blocks(texts | {"accuracy": ["accuracy", "0.5"]}, 80, keys=2)
    assert [[*block] for block in found] == [["learning_rate", "flip", "run"], ["learning_rate", "flip", "accuracy"]]
    assert found[0] == {"learning_rate": 13, "flip": 4, "run": 45}


@pytest.mark.parametrize(
    ("kind", "more"), [("predictions", []), ("evaluate", ["--split"]), ("embed", ["--split"]), ("units", ["--split"])]
)
def test_pictures_of_other_data_and_of_the_other_split_have_names_of_their_own(kind, more, folder, data, tmp_path):
    other = Path(shutil.copy(data, tmp_path / "other.npz"))
    written: list[set[str]] = []
    for asked in [[], ["--dataset", str(other)], *([option, "train"] for option in more)]:
        out = tmp_path / str(len(written))
        assert visualize.main([kind, str(folder / "toy"), "--out", str(out), *asked]) == 0
        written.append({path.name for path in out.iterdir()})
    for place, names in enumerate(written):
        assert names
        assert not any(names & others for others in written[:place])


def test_two_runs_are_drawn_together_by_compare_and_a_report_is_a_kind_too(folder, capsys):
    run = str(folder / "toy")
    assert visualize.main(["kernels", run, run]) == 2
    assert f"networks are drawn together by compare: visualize.py compare RUN {run}." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        visualize.main(["--help"])
    assert "  report  " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        start("visualize", [run, "report", "--help"], "visualize.py")
    assert "visualize.py report [RUN]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "place"),
    [("runs/x report", 1), ("report runs/x", 0), ("kernels report", None), ("--out report runs/x", None)],
)
def test_report_is_a_kind_only_as_the_first_kind_that_is_named(arguments, place):
    assert _named("report", arguments.split()) == place


def test_one_kind_one_layer(folder, tmp_path, capsys):
    run = str(folder / "toy")
    assert visualize.main(["activations", run, "--layer", "pool2", "--split", "test", "--out", str(tmp_path)]) == 0
    assert "pool2" in capsys.readouterr().out
    assert not any("relu" in path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--model", "resnt"], "'resnt' is not a model; did you mean 'resnet'"),
        (["--epoch", "3"], "'--epoch' is not an option; did you mean --epochs?"),
        (["--dataset", "garmets"], "'garmets' is not a data set; did you mean 'garments'"),
        (["--recipe", "fats"], "'fats' is not a recipe; did you mean 'fast'?"),
        (["--epochs", "0"], "train.py: --epochs must be at least 1; it was 0."),
        (["--data-dir", "/nowhere"], "The folder /nowhere does not exist"),
        (["--name", "toy"], "toy exists; go on with it by --resume"),
        (["--snapshots", "99"], "--snapshots must be from 1 to 6, the steps of the whole training; it was 99."),
        (["--keep", "0"], "--keep must be at least 1; it was 0."),
        (["--resume", "--name", "toy", "--keep-every", "2"], "--keep-every 2 (it has none)"),
        (["--resume", "--name", "toy", "--seeds", "2"], "--seeds 2 (it has 1)"),
        (["--seeds", "0"], "--seeds must be at least 1; it was 0."),
        (["--devices", "99"], "as many as there are; it was 99."),
        (["--images-on", "dvice"], "'dvice' is not a place for the images; did you mean 'device'?"),
        (["--precision", "float16"], "did you mean 'bfloat16'?"),
        (["--timeout", "0"], "--timeout must be at least 1; it was 0."),
        (["--distributed", "on"], '--distributed must be "auto", "off" or "host:port,n,id"; it was \'on\'.'),
        (
            ["--distributed", "localhost:1,2,2"],
            "n processes have the ids 0 to n - 1; 'localhost:1,2,2' has n = 2 and id = 2.",
        ),
        (["--distributed", "localhost:99999,2,0"], "from 1 to 65535; it was 99999 in localhost:99999."),
        (
            ["--distributed", "localhost:1,2,1", "--timeout", "1"],
            "The coordinator localhost:1 did not answer in 1 second",
        ),
        (["--track", "tensorbord"], "'tensorbord' is not a tracker; did you mean 'tensorboard'?"),
        (["--resume", "--name", "toy", "--track", "tensorboard"], "--track tensorboard (it has none)"),
        (["--limit", "0"], "--limit must be at least 1"),
        (["--limit", "2"], "A validation share of 0.2 of 2 images leaves one side of the split empty"),
        (["--seed", "9" * 20], "--seed must be from -2^63 to 2^63 - 1"),
        (["--name", "a/../b"], "--name must be a folder's name, without a path; it was 'a/../b'."),
        (["toy"], "'toy' is one argument too many; --help"),
        (["--epochs", "many"], "--epochs takes a whole number; it was 'many'."),
        (
            ["--resume", "--name", "toy", "--model", "dense", "--seed", "3"],
            "--model dense (it has cnn), --seed 3 (it has 0)",
        ),
        (["--resume", "--name", "toy", "--dataset", "mnist,kmnist"], "--dataset mnist,kmnist (it has "),
    ],
)
def test_a_fault_is_one_line_on_stderr_and_exit_code_2(folder, data, capsys, more, text):
    before = sorted(folder.rglob("*"))
    assert train.main(arguments(data, folder, "new", *more)) == 2
    stderr = capsys.readouterr().err
    assert text in stderr
    assert stderr.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["{run}", "--layer", "relu9"], "'relu9' is not a layer; did you mean 'relu"),
        (["{run}", "--image", "150"], "they go from 0 to 49"),
        (["{run}x"], "toyx does not exist; did you mean "),
        (["kernls"], "did you mean 'kernels'"),
        (["kernls", "{run}"], "'kernls' is not a kind of picture; did you mean 'kernels'?"),
        (["--formt", "svg"], "'--formt' is not an option; did you mean --format?"),
        (["curves", "{run}", "--layer", "relu9"], "'--layer' is not an option"),
        (["kernels", "{run}", "--layer", "pool1"], "The layer pool1 has no kernel"),
        (["{run}", "activations", "more"], "'more' is one argument too many; one network is drawn at a time"),
        (["{run}", "--format", "pgn"], "'pgn' is not a format; did you mean 'png'?"),
        (["{run}", "--split", "tset"], "did you mean 'test'?"),
        (["{run}", "--image", "one"], "as a picture, a folder or a pattern; it was 'one'."),
        (["--runs", "/nowhere"], "/nowhere has no run"),
        (
            ["activations", "{run}", "--dataset", "garments"],
            "its images have the shape (28, 28, 1) and 10 classes, and toy takes (12, 12, 1) and 2.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(folder, capsys, tmp_path, arguments, text):
    given = [argument.format(run=folder / "toy") for argument in arguments]
    assert visualize.main([*given, "--out", str(tmp_path / "out")]) == 2
    stderr = capsys.readouterr().err
    assert text in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(("error", "code"), [(InputError("Something is wrong."), 2), (KeyboardInterrupt(), 130)])
def test_pictures_that_are_done_are_kept_when_a_later_one_fails(folder, tmp_path, capsys, monkeypatch, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("cnnviz.pictures.predictions.predict", fail)
    assert visualize.main([str(folder / "toy"), "--out", str(tmp_path)]) == code
    done = {line.split(": ")[1] for line in capsys.readouterr().out.splitlines() if ".png" in line}
    assert done == {str(path) for path in tmp_path.iterdir()}
    names = {path.name for path in tmp_path.iterdir()}
    assert {"layers.png", "histogram_conv1.png"} <= names
    assert any(name.startswith("attribute_test0-7_predicted_grad_cam+") for name in names)


@pytest.mark.parametrize("option", ["--image", "--images"])
def test_image_3_is_image_3_of_the_test_split_in_attribute_too(folder, data, tmp_path, option):
    asked = ["attribute", str(folder / "toy"), "--methods", "gradient", option, "3", "--data", "--out", str(tmp_path)]
    assert visualize.main(asked) == 0
    (path,) = tmp_path.glob("*.npz")
    np.testing.assert_array_equal(np.load(path)["images"], np.load(data)["x_test"][3:4])


def test_an_image_that_does_not_exist_is_said_before_anything_is_written(folder, tmp_path):
    assert visualize.main([str(folder / "toy"), "--image", "150", "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_without_its_data_a_run_s_weights_are_drawn_all_the_same(data, folder, tmp_path, capsys):
    data.rename(data.with_suffix(".away"))
    try:
        assert visualize.main([str(folder / "toy"), "--out", str(tmp_path)]) == 2
        assert visualize.main(["kernels", str(folder / "toy"), "--out", str(tmp_path)]) == 0
    finally:
        data.with_suffix(".away").rename(data)
    assert (tmp_path / "kernels_conv1.png").exists()
    assert "are no longer at" in capsys.readouterr().err


def test_a_data_set_that_cannot_be_had_is_one_line_among_all_pictures(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CNNVIZ_OFFLINE", "1")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("cnnviz.commands.several.dataset_for", lambda *_: data_sets.load("stl10"))
    arguments = [str(folder / "toy"), "--out", str(tmp_path / "out")]
    assert visualize.main(arguments) == 0
    assert "activations: skipped. stl10 is known to TFDS and not prepared" in capsys.readouterr().out
    assert visualize.main(["activations", *arguments]) == 2
    assert visualize.main([*arguments, "--dataset", "stl10"]) == 2


def test_debug_shows_where_an_error_comes_from(folder):
    with pytest.raises(ValueError, match="is not a layer"):
        visualize.main(["activations", str(folder / "toy"), "--layer", "relu9", "--debug"])


def test_nan_in_training_stops_and_keeps_the_last_good_checkpoint(data, folder, capsys):
    assert train.main(arguments(data, folder, "wild", "--learning-rate", "1e30")) == 2
    said, kept = capsys.readouterr().err, f"; {folder / 'wild'} keeps its last good checkpoint, and "
    assert said.endswith(
        f"try a smaller learning rate than 1e+30{kept}{folder / 'wild' / 'not_finite.json'} lists the images.\n"
    )
    assert int(runs.load_states(folder / "wild")[0][0].step) == 0
    batches = json.loads((folder / "wild" / "not_finite.json").read_text())
    assert [batch["step"] for batch in batches] == [2, 3]
    assert all(0 <= row < 150 for batch in batches for row in batch["images"])


def test_verify_measures_the_run_again_and_names_what_was_changed(data, folder, capsys):
    assert train.main(arguments(data, folder, "sealed")) == 0
    run = folder / "sealed"
    capsys.readouterr()
    assert train.main(["--verify", str(run)]) == 0
    recorded = json.loads((run / "summary.json").read_text())["test_accuracy"]
    assert f"Test accuracy {recorded:.4f}" in capsys.readouterr().out
    summary = (run / "summary.json").read_text()
    runs.write_summary(run, {"test_accuracy": 0.123, "test_loss": 0.5})
    assert train.main(["--verify", str(run)]) == 2
    assert "0.123 and" in capsys.readouterr().err
    row = {"test_accuracy": recorded, "test_loss": 0.5, "best": runs.load_run(run).history[0]}
    runs.write_summary(run, {"test_accuracy": recorded, "test_loss": 0.5, "networks": [row, row]})
    assert train.main(["--verify", str(run)]) == 2
    assert f"The summary of {run} has 2 networks; its checkpoints have 1." in capsys.readouterr().err
    (run / "summary.json").write_text(summary)
    (run / "config.json").write_text((run / "config.json").read_text() + " ")
    weights = run / "checkpoints" / "step_00000000" / "training.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert train.main(["--verify", str(run)]) == 2
    stderr = capsys.readouterr().err
    assert "config.json was changed after it was written" in stderr
    assert "training.safetensors is damaged" in stderr


@pytest.fixture
def unfinished(folder, tmp_path):
    """The finished run as it was before its last file was written."""
    shutil.copytree(folder / "toy", tmp_path / "toy")
    (tmp_path / "toy" / "summary.json").unlink()
    return tmp_path / "toy"


def test_a_run_that_another_process_trains_is_not_touched(unfinished, capsys):
    with locked(unfinished):
        assert train.main(["--resume", "--runs", str(unfinished.parent), "--name", "toy"]) == 2
    assert f"Another process is writing to {unfinished}" in capsys.readouterr().err
    assert train.main(["--resume", "--runs", str(unfinished.parent), "--name", "toy"]) == 0


def test_a_torn_line_of_the_metrics_is_mended_from_the_checkpoint(unfinished, capsys):
    metrics = unfinished / "metrics.jsonl"
    whole = metrics.read_text()
    metrics.write_text(whole[:-20])
    killed = unfinished / "checkpoints" / ".step_00000003-killed"
    killed.mkdir()
    assert train.main(["--resume", "--runs", str(unfinished.parent), "--name", "toy"]) == 0
    assert "metrics.jsonl differed from the latest checkpoint" in capsys.readouterr().out
    assert metrics.read_text() == whole
    assert not killed.exists()


def test_what_is_usual_is_no_less_another_option_than_a_run_was_started_with(data, folder, capsys):
    assert train.main(arguments(data, folder, "own", "--model", "dense", "--seeds", 2, "--keep", 2)) == 0
    capsys.readouterr()
    usual = ["--model", "cnn", "--seeds", "1", "--keep", "1", "--dataset", "garments"]
    assert train.main(["--resume", "--runs", str(folder), "--name", "own", *usual]) == 2
    named = "--keep 1 (it has 2), --model cnn (it has dense), --seeds 1 (it has 2), --dataset garments (it has "
    assert capsys.readouterr().err.strip().endswith(f"not with {named}{data}).")
    assert train.main(["--resume", "--runs", str(folder), "--name", "own", "--model", "dense", "--seeds", "2"]) == 0


def test_a_run_from_before_a_number_of_the_recipe_was_there_goes_on(data, unfinished, in_format_1):
    in_format_1(unfinished)
    file = unfinished / "config.json"
    config = json.loads(file.read_text())
    del config["recipe"]["optimizer"]
    file.write_text(json.dumps(config))
    assert train.main(arguments(data, unfinished.parent, "toy", "--resume")) == 0


def test_snapshots_and_epochs_that_were_asked_for_are_kept(data, folder):
    more = ["--snapshots", 4, "--keep-every", 1]
    assert train.main(arguments(data, folder, "film", *more)) == 0
    steps = sorted(int(path.name[5:]) for path in (folder / "film" / "checkpoints").iterdir())
    assert steps == [0, 1, 2, 3, 6]


def test_killed_after_its_last_step_was_saved_a_run_keeps_no_more_than_others(data, tmp_path, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(runs.checkpoints, "remove", lambda folder: None)
        assert train.main(arguments(data, tmp_path, "killed", "--epochs", 4)) == 0
    (tmp_path / "killed" / "summary.json").unlink()
    assert train.main(["--resume", "--runs", str(tmp_path), "--name", "killed"]) == 0
    assert train.main(arguments(data, tmp_path, "usual", "--epochs", 4)) == 0
    killed, usual = (
        {path.name for path in (tmp_path / name / "checkpoints").iterdir()} for name in ("killed", "usual")
    )
    assert killed == usual


def test_a_checkpoint_that_cannot_be_written_in_the_background_is_told(data, folder, capsys, monkeypatch):
    write, calls = runs.checkpoints.save, []

    def full(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(runs.checkpoints, "save", full)
    assert train.main(arguments(data, folder, "full")) == 2
    assert "No space left on device; earlier checkpoints are intact" in capsys.readouterr().err
    assert int(runs.load_states(folder / "full")[0][0].step) == 0


def test_several_seeds_are_one_run_with_a_line_an_epoch(data, folder, capsys):
    assert train.main(arguments(data, folder, "seeds", "--seeds", 3, "--seed", 5)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ± " in line for line in lines if line.startswith("epoch")] == [True, True]
    assert [line.split(":")[0] for line in lines if line.startswith("seed")] == ["seed 5", "seed 6", "seed 7"]
    run = runs.load_run(folder / "seeds")
    assert len(run.members) == 3
    assert [(record["seed"], record["epoch"]) for record in run.history] == [(s, e) for e in (1, 2) for s in (5, 6, 7)]
    summary = json.loads((folder / "seeds" / "summary.json").read_text())
    accuracies = [row["test_accuracy"] for row in summary["networks"]]
    assert summary["test_accuracy"] == pytest.approx(np.mean(accuracies))
    assert summary["test_accuracy_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    by_class = [row["test_class_accuracy"] for row in summary["networks"]]
    means = {name: np.mean([row[name] for row in by_class]) for name in by_class[0]}
    assert summary["test_class_accuracy"] == pytest.approx(means)
    least = min(means, key=lambda name: means[name])
    assert f"least recognized is {least}, {means[least]:.4f}." in "\n".join(lines)
    assert train.main(arguments(data, folder, "six", "--seed", 6)) == 0
    alone = runs.load_run(folder / "six")
    assert serialized(run.members[1]) == serialized(alone.variables)
    capsys.readouterr()
    assert train.main(["--verify", str(folder / "seeds")]) == 0
    assert capsys.readouterr().out.count("as recorded") == 3


def test_ctrl_c_saves_and_resuming_ends_with_the_same_bits(data, folder, tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *arguments(data, tmp_path, "stopped", "--epochs", 400)]
    command += ["--patience", "400"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch  2"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in stderr
    (stopped,), history = runs.load_states(tmp_path / "stopped")
    assert int(stopped.step) >= 2 * 3
    resumed = ["--resume", "--runs", str(tmp_path), "--name", "stopped"]
    assert train.main([*resumed, "--epochs", "3"]) == 2  # another recipe than it was started with
    assert len(history) == len((tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines())


@pytest.mark.parametrize("script", ["train.py", "visualize.py"])
def test_help_answers_without_jax(script):
    code = (
        f"import sys, runpy; sys.argv = ['{script}', '--help']\ntry: runpy.run_path('{script}', run_name='__main__')\n"
    )
    code += "finally: print('loaded:', *[m for m in ('jax', 'flax', 'matplotlib') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=os.environ)
    assert found.stdout.splitlines()[-1] == "loaded:"
    assert "--" in found.stdout


def test_attributions_have_options_of_their_own(folder, tmp_path, capsys):
    asked = ["attribute", str(folder / "toy"), "--methods", "gradient", "--images", "0:2", "--out", str(tmp_path)]
    assert visualize.main([*asked, "--target", "label", "--data"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"attribute_test0-1_label_gradient.{ending}" for ending in ("png", "npz")
    }
    assert visualize.main([*asked[:3], "gradcam"]) == 2
    assert "'gradcam' is not a method" in capsys.readouterr().err
    assert visualize.main(["kernels", str(folder / "toy"), "--methods", "gradient"]) == 2
