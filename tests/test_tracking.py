"""Trackers: each epoch told once, in the run's own folder, wherever training was stopped; none can stop training."""

import io
import itertools
import json
import struct
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from cnnviz import kernels, runs
from cnnviz.commands import terminal, train
from cnnviz.commands.tracked import tracked
from cnnviz.training import tracking

CONFIG = {"data": {"image_shape": [12, 12, 1]}}


@pytest.fixture
def training(data, tmp_path):
    """`training(*more)` trains the dense network for three epochs of two steps and gives the exit code."""
    options = ["--dataset", data, "--runs", tmp_path, "--name", "run", "--model", "dense", "--batch-size", 40]
    options += ["--epochs", 3, "--patience", 3, "--recipe", "classic", "--limit", 100]
    return lambda *more: train.main([*map(str, options), *map(str, more)])


def events(folder):
    """What is in TensorBoard's files: (step, name) -> list of values, read from the records as they are defined."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        data = io.BytesIO(file.read_bytes())
        while head := data.read(12):
            event = event_pb2.Event.FromString(data.read(struct.unpack("Q", head[:8])[0]))
            data.read(4)
            for value in event.summary.value:
                found.setdefault((event.step, value.tag), []).append(getattr(value, value.WhichOneof("value")))
    return found


def records_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_each_epoch_is_told_once(run):
    found, records = events(run / "tensorboard"), records_of(run)
    told = {key: values for key, values in found.items() if "/" not in key[1]}
    wanted = {(record["step"], name): [value] for record in records for name, value in record.items() if name != "step"}
    assert told.keys() == wanted.keys()
    assert all(told[key] == pytest.approx(wanted[key]) for key in wanted)
    return found


def test_tensorboard_has_every_record_kernel_and_weight(data, tmp_path):
    pytest.importorskip("tensorboardX")
    options = ["--dataset", data, "--runs", tmp_path, "--name", "run", "--limit", 100, "--epochs", 2]
    options += ["--track", "tensorboard"]
    assert train.main([*map(str, options)]) == 0
    found = assert_each_epoch_is_told_once(tmp_path / "run")
    last = records_of(tmp_path / "run")[-1]["step"]
    (state,), _ = runs.load_states(tmp_path / "run")
    for name, weights in kernels.weights(state.variables).items():
        (counted,) = found[last, f"weights/{name}"]
        assert (counted.num, counted.min, counted.max) == (weights.size, weights.min(), weights.max())
        assert sum(counted.bucket) == weights.size
    (picture,) = found[last, "kernels/conv1"]
    pixels = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)))
    assert pixels.shape == (picture.height, picture.width, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100  # colors of weights, not of text alone
    assert (last, "kernels/conv2") in found
    assert (last, "kernels/dense1") not in found


def stop_at(looks):
    """In place of Ctrl-C: no signal, until it was asked for so many times."""
    asked = itertools.count(1)
    return contextmanager(lambda: iter([lambda: 15 if next(asked) > looks else 0]))


@pytest.mark.parametrize("looks", [2, 3], ids=["between epochs", "within one"])
def test_a_resumed_run_goes_on_in_the_same_place(training, tmp_path, monkeypatch, looks):
    pytest.importorskip("tensorboardX")
    with monkeypatch.context() as patched:
        patched.setattr(terminal, "ctrl_c", stop_at(looks))
        assert training("--track", "tensorboard") == 143
    assert len(records_of(tmp_path / "run")) == 1
    assert training("--resume") == 0
    assert len(records_of(tmp_path / "run")) == 3
    assert_each_epoch_is_told_once(tmp_path / "run")
    before = sorted((tmp_path / "run" / "tensorboard").iterdir())
    assert len(before) == 3  # two files of events, and the number told
    assert training("--resume", "--track", "tensorboard") == 0  # nothing is left to train
    assert_each_epoch_is_told_once(tmp_path / "run")


TOLD = []


def collector(*fails):
    @contextmanager
    def tracker(folder, config):
        folder.mkdir(exist_ok=True)
        if "begin" in fails:
            raise RuntimeError("no key")

        def track(step, scalars, pictures, weights):
            if "track" in fails and TOLD:
                raise OSError(28, "No space left on device")
            TOLD.append((folder.name, step, scalars, pictures, weights))

        yield track
        if "end" in fails:
            raise RuntimeError("not sent")

    return tracker


good, unable, failing, unsent = collector(), collector("begin"), collector("track"), collector("end")


@pytest.fixture
def trackers(monkeypatch):
    """Trackers of this file by name, and what they were told."""
    TOLD.clear()
    names = ("good", "unable", "failing", "unsent")
    monkeypatch.setattr(tracking, "TRACKERS", {name: f"{__name__}:{name}" for name in names})
    return TOLD


def test_an_epoch_that_was_saved_and_not_told_is_told_when_training_goes_on(training, trackers, tmp_path):
    assert training("--track", "good") == 0
    assert [told[1] for told in trackers] == [2, 4, 6]
    (tmp_path / "run" / "good" / "told").write_text("2\n")  # as if the process had ended between the two
    (tmp_path / "run" / "summary.json").unlink()
    assert training("--resume") == 0
    assert [told[1] for told in trackers] == [2, 4, 6, 6]
    assert trackers[-1][2] == trackers[-2][2]


def test_a_tracker_that_fails_stops_neither_training_nor_the_others(training, trackers, tmp_path, capsys):
    assert training("--track", "failing, good, unsent") == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes == [
        "note: the tracker failing failed (OSError: [Errno 28] No space left on device); training goes on without it",
        "note: the tracker unsent failed (RuntimeError: not sent); training goes on without it",
    ]
    assert [step for name, step, *_ in trackers if name == "good"] == [2, 4, 6]
    assert len(records_of(tmp_path / "run")) == 3
    assert (tmp_path / "run" / "summary.json").exists()


def test_a_tracker_that_cannot_begin_is_told_before_training(training, trackers, tmp_path, capsys):
    assert training("--track", "good,unable") == 2
    assert "The tracker unable cannot start in" in capsys.readouterr().err
    assert records_of(tmp_path / "run") == []


def test_what_is_told_of_one_of_several_seeds_says_which(trackers, tmp_path):
    weights = np.linspace(-1, 1, 144 * 5, dtype=np.float32).reshape(144, 5)
    record = {"epoch": 1, "step": 7, "seed": 3, "val_loss": 0.5}
    of = lambda scale: {"params": {"dense": {"kernel": scale * weights}}}
    earlier = [record | {"epoch": 0, "step": 3}, record | {"epoch": 0, "step": 3, "seed": 4}]
    with tracked(["good"], tmp_path, CONFIG) as tell:
        tell([*earlier, record, record | {"seed": 4}], {3: of(1), 4: of(2)})
    assert [(step, len(pictures), len(weights)) for _, step, _, pictures, weights in trackers[:2]] == 2 * [(3, 0, 0)]
    (_, step, scalars, pictures, told), (*_, last_pictures, last) = trackers[2:]
    assert (step, scalars) == (7, {"epoch/seed_3": 1, "val_loss/seed_3": 0.5})
    assert (list(pictures), list(last_pictures)) == (["dense/seed_3"], ["dense/seed_4"])
    np.testing.assert_array_equal(2 * told["dense/seed_3"], last["dense/seed_4"])
    assert last_pictures["dense/seed_4"].dtype == np.uint8


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboardX"), ("wandb", "wandb")])
def test_a_missing_package_is_told_with_its_extra_before_anything_is_made(
    training, tmp_path, monkeypatch, capsys, name, package
):
    monkeypatch.setitem(sys.modules, package, None)
    module = tracking.TRACKERS[name].split(":")[0]
    monkeypatch.delitem(sys.modules, module, raising=False)
    assert training("--track", name) == 2
    stderr = capsys.readouterr().err
    assert f'pip install "cnnviz[{name}]"' in stderr
    assert stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_wandb_is_kept_offline_under_one_id(training, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with monkeypatch.context() as patched:
        patched.setattr(terminal, "ctrl_c", stop_at(3))
        assert training("--track", "wandb") == 143
    assert training("--resume") == 0
    folder = tmp_path / "run" / "wandb"
    parts = sorted(folder.glob("offline-run-*"), key=lambda part: part.stat().st_ctime)
    assert [part.name.split("-")[-1] for part in parts] == 2 * [(folder / "id").read_text()]
    logs = [next(part.glob("*.wandb")).read_bytes() for part in parts]
    assert [log.count(b"val_accuracy") for log in logs] > [0, 0]
    pictures = [len(list(part.rglob("kernels/dense1_*.png"))) for part in parts]
    assert pictures == [1, 2]
