"""A run that somebody else made: its links and pipes are not followed, so that nothing outside of it is touched."""

import os
import shutil

import pytest

from cnnviz import runs
from cnnviz.commands import train, visualize
from cnnviz.errors import InputError
from cnnviz.runs import checkpoints, digests
from cnnviz.runs.summaries import NAME as SUMMARY

FILES = ["config.json", "environment.json", "metrics.jsonl", SUMMARY]
STEP = "checkpoints/step_00000000"
PARTS = ["checkpoints", STEP, f"{STEP}/manifest.json", f"{STEP}/model.safetensors", f"{STEP}/training.safetensors"]


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inside")
    arguments = ["--dataset", str(data), "--model", "dense", "--epochs", "1", "--name", "x", "--runs", str(folder)]
    assert train.main(arguments) == 0
    return folder / "x"


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "runs" / "x")


def moved(path, outside):
    """Moves a file or folder out of the run and leaves a link to it."""
    shutil.move(path, outside)
    path.symlink_to(outside)
    return outside


def content(folder):
    files = [folder] if folder.is_file() else sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


COMMANDS = {
    "draw": lambda run: visualize.main(["kernels", str(run)]),
    "verify": lambda run: train.main(["--verify", str(run)]),
    "resume": lambda run: train.main(["--resume", "--runs", str(run.parent), "--name", run.name]),
}


READ = {command: [*FILES, *PARTS] for command in COMMANDS}
READ["draw"] = ["config.json", "environment.json", *PARTS[:-1]]


@pytest.mark.parametrize(("command", "part"), [(command, part) for command in READ for part in READ[command]])
def test_a_link_in_a_run_is_one_line_and_leads_nowhere(run, tmp_path, capsys, command, part):
    outside = moved(run / part, tmp_path / "outside")
    before = content(outside)
    capsys.readouterr()
    assert COMMANDS[command](run) == 2
    error = capsys.readouterr().err
    assert f"{run / part} is a link, which may lead out of the run; put the" in error
    assert error.count("\n") == 1
    assert content(outside) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("part", [*FILES, f"{STEP}/manifest.json", f"{STEP}/model.safetensors"])
def test_a_pipe_in_a_run_is_not_waited_for(run, command, part):
    (run / part).unlink()
    os.mkfifo(run / part)
    assert COMMANDS[command](run) in (0, 2)


def test_a_pipe_in_one_of_two_runs_is_not_waited_for(run, capsys):
    other = shutil.copytree(run, run.parent / "other")
    (other / "config.json").unlink()
    os.mkfifo(other / "config.json")
    assert visualize.main(["compare", str(run), str(other), "--parts", "weights"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_pictures_are_not_written_where_a_run_links_to(run, tmp_path, capsys):
    (tmp_path / "outside").mkdir()
    (run / "figures").symlink_to(tmp_path / "outside")
    assert COMMANDS["draw"](run) == 2
    assert (
        f"{run / 'figures'} is a link, which may lead out of the run; put the folder itself" in capsys.readouterr().err
    )
    assert list((tmp_path / "outside").iterdir()) == []
    assert visualize.main(["kernels", str(run), "--out", str(run / "figures")]) == 0  # as the user asks for it


def test_what_is_cleared_and_mended_is_in_the_run(run, tmp_path):
    outside = moved(run / "checkpoints", tmp_path / "outside")
    (outside / ".step_00000001.gone-1-1").mkdir()
    before = content(outside)
    for work in (runs.clear_unfinished, checkpoints.steps, digests.damages):
        with pytest.raises(InputError, match="checkpoints is a link"):
            work(run)
    outside = moved(run / "metrics.jsonl", tmp_path / "records")
    with pytest.raises(InputError, match=r"metrics.jsonl is a link"):
        runs.mend_metrics(run, [])
    assert content(tmp_path / "outside") == before
    assert outside.stat().st_size > 0


def test_a_checkpoint_that_is_a_link_is_not_removed_at_its_end(run, tmp_path):
    """What is removed is a folder that stands in the run."""
    outside = moved(run / STEP, tmp_path / "outside")
    before = content(outside)
    with pytest.raises(InputError, match="is a link"):
        checkpoints.remove(run / STEP)
    assert content(outside) == before
