"""Runs and checkpoints: what is saved comes back to the bit, what was changed on disk is refused by name."""

import errno
import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from cnnviz import runs
from cnnviz.commands.begin import _created
from cnnviz.errors import InputError
from cnnviz.runs import checkpoints
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state

SHAPE = [12, 12, 1]
DIGESTS = {"config.json": 64 * "0", "environment.json": 64 * "0"}
DATA = {
    "name": "toy",
    "title": "toy",
    "fingerprint": "f",
    "image_shape": SHAPE,
    "classes": ["left", "right"],
    "limit": None,
    "dir": None,
}


def config(model="dense"):
    return {"format": 1, "model": model, "recipe": vars(Recipe()), "data": DATA}


def record(epoch, val_loss):
    return {"epoch": epoch, "step": 10 * epoch, "val_loss": val_loss}


def state_at(step, model="dense"):
    state = initial_state(runs.Config(config(model)).model, Recipe(), tuple(SHAPE), jax.random.key(step))
    return state.replace(step=jnp.asarray(step, jnp.int32))


@pytest.fixture
def run(tmp_path):
    """A run of three epochs, the second the best."""
    path = tmp_path / "runs" / "one"
    runs.create(path, config(), {"python": "3"})
    runs.save(path, [state_at(0)], [])
    history = [record(1, 0.5), record(2, 0.3), record(3, 0.4)]
    for n in (1, 2, 3):
        runs.save(path, [state_at(10 * n)], history[:n])
    return path


@pytest.mark.parametrize("model", ["dense", "resnet"])
def test_a_state_comes_back_to_the_bit(tmp_path, model):
    runs.create(tmp_path / "run", config(model), {})
    runs.save(tmp_path / "run", [state_at(7, model)], [])
    (state,), history = runs.load_states(tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, state, state_at(7, model))
    assert jax.tree.structure(state) == jax.tree.structure(state_at(7, model))
    assert history == []


def test_the_first_the_best_and_the_latest_are_kept(run):
    assert sorted(folder.name for folder in (run / "checkpoints").iterdir()) == [
        "step_00000000", "step_00000020", "step_00000030"
    ]  # fmt: skip
    loaded = runs.load_run(run)
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, state_at(20).variables)
    jax.tree.map(np.testing.assert_array_equal, loaded.untrained, state_at(0).variables)
    assert [layer.name for layer in loaded.layers] == ["flatten", "dense1", "relu1", "logits"]
    assert (loaded.name, loaded.classes, loaded.image_shape) == ("one", ("left", "right"), (12, 12, 1))
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_prepared_pixels_are_from_zero_to_one(run):
    prepared = runs.load_run(run).prepare(np.array([0, 51, 255], np.uint8))
    np.testing.assert_allclose(prepared, np.float32([0, 0.2, 1]), rtol=1e-6)


def test_a_run_that_exists_is_not_touched(run):
    with pytest.raises(InputError, match="one exists; go on with it by --resume"):
        runs.create(run, config(), {})


@pytest.mark.parametrize("file", ["model.safetensors", "manifest.json"])
def test_a_flipped_byte_is_found(run, file):
    damaged = run / "checkpoints" / "step_00000020" / file
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(InputError, match=f"{file} (is damaged|was changed)"):
        runs.load_run(run)


def test_all_paths_that_differ_are_named(tmp_path):
    tree = {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32), "c": np.zeros(4, np.float32)}
    like = {"a": np.zeros((2, 1), np.float32), "b": np.zeros(3, np.float16), "d": np.zeros(1)}
    checkpoints.save(tmp_path / "x", {"model": tree}, {"step": 0, "history": [], "best": [], "run": DIGESTS})
    text = r"d is missing; c is unexpected; a is float32\[2\], not float32\[2, 1\]; b is float32\[3\], not float16\[3\]"
    with pytest.raises(InputError, match=text):
        checkpoints.load(tmp_path / "x", "model", like)


@pytest.mark.parametrize("step", [30, 40], ids=["the same step", "a later step"])
def test_a_full_disk_leaves_the_earlier_checkpoint_good(run, monkeypatch, step):
    def no_space(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(InputError, match="No space left"):
        runs.save(run, [state_at(step)], [record(step // 10, 0.1)])
    assert int(runs.load_states(run)[0][0].step) == 30
    assert not list((run / "checkpoints").glob(".*"))


def test_killed_while_a_checkpoint_is_removed_the_rest_of_it_is_not_taken_for_one(run, monkeypatch):
    rmtree = shutil.rmtree

    def killed(folder, **options):
        if folder.name.startswith(".step_00000030"):
            raise KeyboardInterrupt
        rmtree(folder, **options)

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.save(run, [state_at(40)], [*map(record, (1, 2, 3, 4), (0.5, 0.3, 0.4, 0.2))])
    assert int(runs.load_states(run)[0][0].step) == 40
    assert runs.damages(run) == []
    assert len(list((run / "checkpoints").glob(".step_*"))) == 1
    runs.clear_unfinished(run)
    assert not list((run / "checkpoints").glob(".step_*"))


def test_a_run_that_another_process_begins_meanwhile_is_not_touched(tmp_path, monkeypatch):
    write, other = checkpoints.save, tmp_path / "run" / "config.json"

    def late(*arguments):
        other.parent.mkdir()
        other.write_text("other")
        write(*arguments)

    monkeypatch.setattr(checkpoints, "save", late)
    with pytest.raises(InputError, match="run exists; go on with it by --resume"):
        runs.create(tmp_path / "run", config(), {})
    assert other.read_text() == "other"
    assert list(tmp_path.iterdir()) == [other.parent]


def test_of_two_that_start_at_once_without_a_name_the_second_takes_the_next_number(tmp_path, monkeypatch):
    write, other = checkpoints.save, tmp_path / "toy-1"

    def late(*arguments):
        if not other.exists():
            other.mkdir()
            (other / "config.json").write_text("other")
        write(*arguments)

    monkeypatch.setattr(checkpoints, "save", late)
    names = (tmp_path / f"toy-{number}" for number in (1, 2, 3))
    assert _created(names, config(), {}) == tmp_path / "toy-2"
    assert [file.name for file in other.iterdir()] == ["config.json"]
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "toy-2"]
    with pytest.raises(runs.Exists, match="toy-2 exists; go on with it by --resume"):
        _created([tmp_path / "toy-2"], config(), {})


def test_killed_before_its_first_checkpoint_no_run_is_there(tmp_path, monkeypatch):
    """What SIGKILL leaves: no code of ours runs after it, so nothing is removed."""
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patched.setattr("cnnviz.atomic._remove", lambda path: None)
        with pytest.raises(KeyboardInterrupt):
            runs.create(tmp_path / "run", config(), {})
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".run")
    runs.create(tmp_path / "run", config(), {})
    assert runs.latest(tmp_path) == tmp_path / "run"
    assert not left.exists()


def test_the_latest_run_is_the_one_written_to_last(run):
    other = run.parent / "two"
    runs.create(other, config(), {})
    runs.save(other, [state_at(0)], [])
    assert runs.latest(run.parent) == other
    runs.save(run, [state_at(40)], [record(1, 0.1)])
    assert runs.latest(run.parent) == run


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(InputError, match="is not a run: it has no config.json"):
        runs.load_run(tmp_path)
    with pytest.raises(InputError, match=f"{tmp_path} has no run"):
        runs.latest(tmp_path)
    runs.create(tmp_path / "empty", config(), {})
    shutil.rmtree(tmp_path / "empty" / "checkpoints")
    with pytest.raises(InputError, match="has no checkpoint"):
        runs.load_run(tmp_path / "empty")


def test_a_file_is_safetensors_that_others_can_read(run):
    data = (run / "checkpoints" / "step_00000000" / "model.safetensors").read_bytes()
    assert set(safetensors.numpy.load(data)) == {
        f"params/{layer}/{leaf}" for layer in ("dense1", "logits") for leaf in ("kernel", "bias")
    }


def test_a_run_without_its_best_checkpoint_is_not_taken_for_an_untrained_one(run):
    folders = sorted((run / "checkpoints").iterdir())
    for folder in folders[1:]:
        shutil.rmtree(folder)
    with pytest.raises(InputError, match="lacks the checkpoint of its best epoch"):
        runs.load_run(run)


def test_a_file_of_a_checkpoint_that_is_missing_is_named(run):
    file = run / "checkpoints" / "step_00000020" / "model.safetensors"
    file.unlink()
    with pytest.raises(InputError, match=f"{file} is missing"):
        runs.load_run(run)


def test_a_run_that_cannot_be_begun_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "save", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(InputError, match="No space left, so no run was made"):
        runs.create(tmp_path / "run", config(), {})
    assert list(tmp_path.iterdir()) == []
    small = {**config("cnn"), "data": {**DATA, "image_shape": [3, 3, 1]}}
    with pytest.raises(InputError, match=r"The model cnn cannot take images of shape \(3, 3, 1\)"):
        runs.create(tmp_path / "run", small, {})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model": 3}, "model is 3; it must be text"),
        ({"model": "cnm"}, "did you mean 'cnn'"),
        ({"recipe": {"seed": "5"}}, "recipe.seed is '5'; it must be a whole number"),
        ({"recipe": {"epochs": 2.5}}, "recipe.epochs is 2.5"),
        ({"recipe": {"epsilon": float("nan")}}, "epsilon must be at least 0 and finite in float32; it was nan"),
        ({"recipe": []}, r"recipe is \[\]; it must be an object"),
        ({"data": {**DATA, "image_shape": [12]}}, r"data.image_shape is \[12\]; it must be a list of at least 2"),
        (
            {"data": {**DATA, "image_shape": [12, 12, 0]}},
            r"data.image_shape\[2\] is 0; it must be a whole number of at l",
        ),
        ({"data": {**DATA, "classes": 3}}, "data.classes is 3"),
        ({"data": {**DATA, "classes": []}}, r"data.classes is \[\]; it must be a list of at least 1"),
        ({"data": {**DATA, "limit": "x"}}, "data.limit is 'x'"),
        ({"data": {**DATA, "limit": True}}, "data.limit is True"),
        ({"data": {"name": "toy"}}, "data.title is missing"),
        ({"seeds": 0}, "seeds is 0; it must be a whole number of at least 1"),
        ({"seeds": "3"}, "seeds is '3'"),
        ({"seeds": 2**63 + 1}, "seed must be from -2"),
        ({"keep": {"last": 1, "every": 0}}, "keep.every is 0"),
        (
            {"prepare": "pixel / 127.5 - 1"},
            "prepare is a mapping of scale, mean, deviation; it was 'pixel /",
        ),
    ],
)
def test_a_damaged_config_is_named_with_its_fault(run, in_format_1, change, text):
    in_format_1(run)  # has no digest of its config
    (run / "config.json").write_text(json.dumps({**config(), **change}))
    with pytest.raises(InputError, match=rf"config\.json is damaged \(.*{text}.*\)\.$"):
        runs.load_run(run)


def test_all_fields_of_another_version_s_config_are_named(run, in_format_1):
    in_format_1(run)
    changed = {**config(), "recipe": {"speed": 1, "epochs": 3}, "sedds": 3, "data": {**DATA, "zoom": [2]}}
    (run / "config.json").write_text(json.dumps(changed))
    fields = "recipe.speed and data.zoom and sedds"
    hints = "recipe.speed is perhaps recipe.seed, sedds is perhaps seeds"
    line = f"config.json has {fields}, which this version of cnnviz does not know ({hints});"
    with pytest.raises(InputError, match=re.escape(line)):
        runs.load_run(run)


def test_a_config_of_another_format_is_told_by_its_fields(run, in_format_1):
    in_format_1(run)
    rest = {name: value for name, value in DATA.items() if name != "limit"}
    changed = {**config(), "format": 7, "recipe": {"learning_rates": 1}, "data": {**rest, "tytle": "x"}}
    del changed["model"]
    (run / "config.json").write_text(json.dumps(changed))
    line = (
        "has the format 7; this version of cnnviz reads 1, and read as format 1 it has recipe.learning_rates and "
        "data.tytle, which this version of cnnviz does not know (recipe.learning_rates is perhaps "
        "recipe.learning_rate) and lacks model and data.limit."
    )
    with pytest.raises(InputError, match=re.escape(line)):
        runs.load_run(run)


def test_each_network_of_several_has_files_of_its_own_and_its_own_best(tmp_path):
    path = tmp_path / "three"
    runs.create(path, {**config(), "seeds": 3}, {})
    losses = {0: (0.5, 0.3, 0.4), 1: (0.2, 0.3, 0.4), 2: (0.5, 0.4, 0.3)}
    history = [{"seed": seed, **record(n, losses[seed][n - 1])} for n in (1, 2, 3) for seed in losses]
    for n in (1, 2, 3):
        states = [state_at(10 * n + 100 * seed).replace(step=jnp.int32(10 * n)) for seed in losses]
        runs.save(path, states, history[: 3 * n])
    loaded = runs.load_run(path)
    for seed, step in enumerate((20, 10, 30)):
        expected = state_at(step + 100 * seed).variables
        jax.tree.map(np.testing.assert_array_equal, loaded.members[seed], expected)
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, loaded.members[0])
    states, records = runs.load_states(path)
    jax.tree.map(np.testing.assert_array_equal, states[2].params, state_at(230).params)
    assert records == history
    (path / "checkpoints" / "step_00000010" / "model-seed1.safetensors").unlink()
    with pytest.raises(InputError, match="model-seed1.safetensors is missing"):
        runs.load_run(path)


def test_other_folders_among_the_checkpoints_are_not_taken_for_one(run):
    (run / "checkpoints" / "step_abcdefgh").mkdir()
    assert int(runs.load_states(run)[0][0].step) == 30


def test_a_checkpoint_can_be_read_by_whom_the_run_can(run):
    modes = {folder.stat().st_mode for folder in (run / "checkpoints").iterdir()}
    assert modes == {(run / "checkpoints").stat().st_mode}
