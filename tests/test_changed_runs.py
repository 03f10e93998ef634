"""Runs whose files were changed: none is trained on or drawn, and no digest of a finished run is renewed."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from cnnviz import runs
from cnnviz.commands import terminal, train
from cnnviz.errors import InputError


def begin(data, folder):
    given = ["--dataset", data, "--runs", folder, "--name", "run", "--model", "dense"]
    return train.main([*map(str, given), "--recipe", "classic", "--epochs", "3"])


def resume(run):
    return train.main(["--resume", "--runs", str(run.parent), "--name", run.name])


def verify(run):
    return train.main(["--verify", str(run)])


def changed(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def content(run):
    return {str(file.relative_to(run)): file.read_bytes() for file in sorted(run.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run that a signal has stopped in its second epoch, and one that has come to its end."""
    stopped, ended, looks = tmp_path_factory.mktemp("stopped"), tmp_path_factory.mktemp("ended"), iter([0, 0, 0, 0])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(terminal, "ctrl_c", contextmanager(lambda: iter([lambda: next(looks, 15)])))
        assert begin(data, stopped) == 143
    assert begin(data, ended) == 0
    assert not (stopped / "run" / "summary.json").exists()
    return stopped / "run", ended / "run"


@pytest.fixture
def unfinished(trained, tmp_path):
    return Path(shutil.copytree(trained[0], tmp_path / "unfinished"))


@pytest.fixture
def finished(trained, tmp_path):
    return Path(shutil.copytree(trained[1], tmp_path / "finished"))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("config.json", '"learning_rate": 0.001', '"learning_rate": 0.011'),
        ("environment.json", '"processors": ', '"processors": 1'),
    ],
)
def test_an_unfinished_run_does_not_go_on_with_other_numbers(unfinished, capsys, name, old, new):
    changed(unfinished / name, old, new)
    before = content(unfinished)
    for command in (resume, verify):
        assert command(unfinished) == 2
        assert f"{unfinished / name} was changed after it was written: its SHA-256 is " in capsys.readouterr().err
    assert content(unfinished) == before
    with pytest.raises(InputError, match=f"{name} was changed after it was written"):
        runs.load_run(unfinished)


def test_a_file_that_is_lost_is_named_before_training(unfinished, capsys):
    (unfinished / "environment.json").unlink()
    before = content(unfinished)
    assert resume(unfinished) == 2
    assert f"{unfinished / 'environment.json'} is missing" in capsys.readouterr().err
    assert content(unfinished) == before


def test_a_config_that_is_changed_during_the_training_is_not_taken_for_the_run_s(unfinished):
    states, history = runs.load_states(unfinished)
    changed(unfinished / "config.json", '"learning_rate": 0.001', '"learning_rate": 0.011')
    before = content(unfinished)
    with pytest.raises(InputError, match=r"config\.json was changed after it was written"):
        runs.save(unfinished, states, history)
    assert content(unfinished) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("config.json", '"seeds": 1', '"seeds": 2', "config.json was changed after it was written"),
        ("environment.json", '"processors": ', '"processors": 1', "environment.json was changed after it was written"),
        ("metrics.jsonl", '"epoch": 2', '"epoch": 3', "metrics.jsonl was changed after it was written"),
        ("summary.json", '"epochs": 3', '"epochs": 2', "summary.json was changed after it was written"),
        ("checkpoints/step_00000000/manifest.json", '"step": 0', '"step": 1', "manifest.json was changed"),
    ],
)
def test_no_digest_of_a_finished_run_is_renewed(finished, capsys, name, old, new, said):
    file = finished / name
    changed(file, old, new)
    before = content(finished)
    for command in (verify, resume, verify):
        assert command(finished) == 2
        assert said in capsys.readouterr().err
    assert content(finished) == before


def test_changed_weights_of_a_finished_run_are_named_and_left(finished, capsys):
    file = finished / "checkpoints" / "step_00000000" / "training.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    before = content(finished)
    assert resume(finished) == 2
    assert "training.safetensors is damaged" in capsys.readouterr().err
    assert content(finished) == before


def test_a_finished_run_is_left_byte_for_byte(finished, data, capsys):
    capsys.readouterr()
    before = content(finished), [file.stat().st_mtime_ns for file in sorted(finished.rglob("*"))]
    data.rename(data.with_suffix(".away"))  # not even its data are read
    try:
        assert resume(finished) == 0
    finally:
        data.with_suffix(".away").rename(data)
    said = capsys.readouterr()
    line = f"The run {finished} is finished; all its files are as they were written. --resume --epochs N goes on.\n"
    assert (said.out, said.err) == (line, "")
    assert (content(finished), [file.stat().st_mtime_ns for file in sorted(finished.rglob("*"))]) == before


def test_a_run_that_lacks_only_its_summary_is_finished(finished):
    whole = (finished / "summary.json").read_bytes()
    (finished / "summary.json").unlink()
    assert resume(finished) == 0
    assert (finished / "summary.json").read_bytes() == whole


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_run_in_format_1_is_read_and_goes_on_in_format_2(finished, in_format_1, capsys, is_finished):
    before = runs.load_run(finished)
    in_format_1(finished)
    assert runs.load_run(finished).config == before.config
    assert verify(finished) == 0
    if not is_finished:
        (finished / "summary.json").unlink()
    capsys.readouterr()
    assert resume(finished) == 0
    assert ("is finished" in capsys.readouterr().out) == is_finished
    assert verify(finished) == 0
    states, history = runs.load_states(finished)
    runs.save(finished, states, history)
    changed(finished / "config.json", '"learning_rate": 0.001', '"learning_rate": 0.011')
    with pytest.raises(InputError, match=r"config\.json was changed after it was written"):
        runs.load_run(finished)


def test_a_config_of_a_later_version_says_so(unfinished, in_format_1, capsys):
    in_format_1(unfinished)
    changed(unfinished / "config.json", '"format": 1', '"format": 2')
    assert resume(unfinished) == 2
    assert "config.json has the format 2; this version of cnnviz reads 1." in capsys.readouterr().err


def test_metrics_of_an_unfinished_run_may_be_behind_and_not_others(unfinished, capsys):
    metrics = unfinished / "metrics.jsonl"
    whole = metrics.read_text()
    metrics.write_text(whole[:-20])  # as a power cut may leave it
    assert verify(unfinished) == 0
    changed(metrics, '"epoch": 1', '"epoch": 2')
    assert verify(unfinished) == 2
    assert f"{metrics} does not have the records of the latest checkpoint; --resume writes" in capsys.readouterr().err
    assert resume(unfinished) == 0
    assert metrics.read_text().startswith(whole)
