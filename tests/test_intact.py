"""Runs with damaged checkpoints, and runs that are read while a training replaces their checkpoints."""

import json
import shutil
import threading
from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import runs
from cnnviz.commands import train, visualize
from cnnviz.commands.epochs import _begin, _conclude
from cnnviz.errors import InputError
from cnnviz.runs import checkpoints
from cnnviz.runs.lock import locked
from cnnviz.training.feed import feed_of
from cnnviz.training.mesh import here
from cnnviz.training.recipe import Recipe

DATA = {"name": "toy", "title": "toy", "fingerprint": "f", "image_shape": [2, 2, 1], "classes": ["left", "right"]}
CONFIG = {"format": 1, "model": "dense", "recipe": asdict(Recipe()), "data": DATA | {"limit": None, "dir": None}}
LOSSES = (0.5, 0.3, 0.4)  # of three epochs of ten steps, the second the best
FILES = [
    "config.json",
    "environment.json",
    "metrics.jsonl",
    *(
        f"checkpoints/step_{step:08d}/{name}"
        for step in (0, 20, 30)
        for name in ("manifest.json", "model.safetensors", "training.safetensors")
    ),
]
NOT_RESTORED = {"config.json", "environment.json", "checkpoints/step_00000000/manifest.json"}


def records(count):
    return [{"epoch": n + 1, "step": 10 * (n + 1), "val_loss": LOSSES[n]} for n in range(count)]


def states_at(step):
    """The states after a step, as different from each other as any."""
    (state,) = runs.Config(CONFIG).fresh()
    return [jax.tree.map(lambda leaf: leaf + jnp.asarray(step, leaf.dtype), state)]


def epochs(path, first, last):
    for n in range(first, last + 1):
        runs.save(path, states_at(10 * n), records(n))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "small"
    runs.create(path, CONFIG, {"python": "3"})
    epochs(path, 1, 3)
    return path


@pytest.fixture
def run(small, tmp_path):
    return shutil.copytree(small, tmp_path / "runs" / "run")


def content(run):
    return {str(file.relative_to(run)): file.read_bytes() for file in sorted(run.rglob("*")) if file.is_file()}


def damage(file, how):
    if how == "lost":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "empty" else file.read_bytes()[:-1] + b"x")


def test_the_files_of_the_run_are_these(run):
    assert set(content(run)) == set(FILES)


@pytest.mark.parametrize("how", ["empty", "lost", "changed"])
@pytest.mark.parametrize("name", FILES)
def test_with_a_damaged_file_training_goes_on_or_its_error_comes_first(run, capsys, name, how):
    before = content(run)
    damage(run / name, how)
    damaged = content(run)
    if name in NOT_RESTORED:
        with pytest.raises(InputError, match=f"{run}.*{(run / name).name}"):
            _begin(run)
        assert content(run) == damaged
        return
    states, history = _begin(run)
    said, step = capsys.readouterr().out, int(states[0].step)
    jax.tree.map(np.testing.assert_array_equal, states, states_at(step))
    assert history == records(step // 10)
    assert said.count("\n") == (0 if name.endswith("20/training.safetensors") else 1)
    epochs(run, len(history) + 1, 3)
    if not name.endswith("20/training.safetensors"):  # no longer needed
        assert runs.damages(run) == []
        assert content(run) == before
    jax.tree.map(np.testing.assert_array_equal, [runs.load_run(run).variables], [states_at(20)[0].variables])


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "training.safetensors"])
def test_a_damaged_latest_checkpoint_is_passed_over_and_named(run, capsys, name):
    file = run / "checkpoints" / "step_00000030" / name
    damage(file, "empty")
    found = runs.newest(run, runs.load_config(run), is_resumed=True)
    assert (found.step, found.history) == (20, records(2))
    (fault,) = found.damages
    assert str(file) in fault
    assert int(_begin(run)[0][0].step) == 20
    assert f"{fault} The checkpoint of step 20, the newest intact one, is used.\n" in capsys.readouterr().out
    assert train.main(["--verify", str(run)]) == 2
    assert str(file) in capsys.readouterr().err
    loaded = runs.load_run(run)
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, states_at(20)[0].variables)
    assert loaded.note == (found.note if name == "manifest.json" else "")  # else no picture needs it
    assert visualize.main(["layers", str(run)]) == 0
    assert (f"note: {found.note}\n" in capsys.readouterr().out) == (name == "manifest.json")


def test_if_only_step_0_is_intact_training_begins_there_again(run, capsys):
    for step in (20, 30):
        damage(run / "checkpoints" / f"step_{step:08d}" / "manifest.json", "lost")
    (state,), history = _begin(run)
    assert (int(state.step), history) == (0, [])
    assert "The checkpoint of step 0, the newest intact one, is used." in capsys.readouterr().out
    what = r"step_00000030/manifest\.json is missing.* lacks the checkpoint of its best epoch; "
    with pytest.raises(InputError, match=f"{what}--resume trains it again"):
        runs.load_run(run)
    runs.write_summary(run, {"test_loss": 0.5, "test_accuracy": 0.75})  # a finished run is left as it is
    with pytest.raises(InputError, match=f"{what}restore it"):
        runs.load_run(run)


def test_without_an_intact_checkpoint_all_damage_is_named_and_nothing_written(run):
    for step in (0, 20, 30):
        damage(run / "checkpoints" / f"step_{step:08d}" / "model.safetensors", "lost")
    with pytest.raises(InputError, match=r"step_00000020/.*step_00000000/.*has no intact checkpoint; start it again\."):
        runs.load_run(run)


def test_step_0_is_not_restored_with_other_bits(run):
    """As if another version of JAX drew other weights from the same seed."""
    folder = run / "checkpoints" / "step_00000000"
    checkpoints.save(
        folder,
        runs.Config(CONFIG).trees(states_at(1)),
        {name: value for name, value in checkpoints.manifest(folder).items() if name not in ("files", "digest")},
    )
    damage(folder / "model.safetensors", "lost")
    before = content(run)
    with pytest.raises(InputError, match=r"model\.safetensors is missing.*drawn again from config\.json differ"):
        _begin(run)
    assert content(run) == before


def test_a_checkpoint_of_a_later_version_is_not_passed_over(run):
    file = run / "checkpoints" / "step_00000030" / "manifest.json"
    file.write_text(json.dumps({"format": 3}))
    for read in (runs.load_run, runs.load_states):
        with pytest.raises(InputError, match=r"has the format 3; this version of cnnviz reads 1 and 2, "):
            read(run)


def test_the_results_are_not_those_of_an_earlier_epoch(run):
    damage(run / "checkpoints" / "step_00000030" / "manifest.json", "empty")
    test = feed_of(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, np.int32), here())
    with pytest.raises(
        InputError, match="step 20, the newest intact one, is used. Later epochs are trained again by: "
    ):
        _conclude(run, test, records(3))
    assert not (run / "summary.json").exists()


def test_a_checkpoint_that_is_removed_while_it_is_read_is_not_missing(run, monkeypatch):
    """The training saves a better epoch after the reader has listed the checkpoints."""
    read, better = checkpoints.manifest, [*records(3), {"epoch": 4, "step": 40, "val_loss": 0.2}]

    def late(folder):
        if folder.name == "step_00000020":
            monkeypatch.setattr(checkpoints, "manifest", read)
            runs.save(run, states_at(40), better)
        return read(folder)

    monkeypatch.setattr(checkpoints, "manifest", late)
    loaded = runs.load_run(run)
    assert (loaded.history, loaded.note) == (better, "")
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, states_at(40)[0].variables)


def test_a_file_that_is_removed_between_two_looks_is_missing_and_no_traceback(run, monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: True)
    folder = run / "checkpoints" / "step_00000020"
    for name in ("model.safetensors", "manifest.json"):
        (folder / name).unlink()
        with pytest.raises(InputError, match=f"{name} is missing"):
            checkpoints.load(folder, "model", states_at(0)[0].variables)


def test_a_run_is_read_beside_a_training_that_always_gets_better(run):
    ended = threading.Event()
    (state,) = runs.Config(CONFIG).fresh()

    def trains():
        history = records(3)
        while not ended.is_set():
            n = len(history) + 1
            history.append({"epoch": n, "step": 10 * n, "val_loss": 0.3 / n})
            runs.save(run, [state.replace(step=jnp.int32(10 * n))], history)

    thread = threading.Thread(target=trains)
    thread.start()
    try:
        for _ in range(20):
            assert runs.load_run(run).note == ""
    finally:
        ended.set()
        thread.join()


def test_verify_says_that_a_run_is_being_trained(run, capsys):
    damage(run / "checkpoints" / "step_00000030" / "manifest.json", "lost")
    with locked(run):
        assert train.main(["--verify", str(run)]) == 2
        said = f"The run {run} is being trained; verify it when the training has ended.\n"
        assert capsys.readouterr().err == f"train.py: {said}"
    assert train.main(["--verify", str(run)]) == 2
    assert "manifest.json is missing" in capsys.readouterr().err
