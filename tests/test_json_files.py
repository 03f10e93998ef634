"""The JSON files of a run: what they may not say is one line, and no flipped bit makes them say something else.

Every 41st bit is flipped by default, others in each run of the tests; CNNVIZ_FUZZ=1 flips every one.
"""

import json
import os
import random
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import jax.numpy as jnp
import pytest

from cnnviz import runs
from cnnviz.commands import train
from cnnviz.errors import InputError
from cnnviz.networks import Prepare
from cnnviz.runs import checkpoints, json_files
from cnnviz.runs.environment import environment
from cnnviz.runs.keep import Keep
from cnnviz.training.recipe import Recipe

EVERY = 1 if os.environ.get("CNNVIZ_FUZZ") else 41  # bits


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A run whose checkpoints are a few kilobytes, so that it is read in a moment."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    data = {"name": "toy", "title": "toy", "fingerprint": "f", "image_shape": [1, 1, 1], "classes": ["left", "right"]}
    config = {"format": 1, "model": "dense", "recipe": asdict(Recipe()), "seeds": 1, "prepare": Prepare().described()}
    config |= {"data": data | {"limit": None, "dir": None}, "keep": asdict(Keep()), "track": []}
    runs.create(path, config, environment("f"))
    (state,), record = runs.load_states(path)[0], {"epoch": 1, "step": 3, "train_loss": 0.61, "val_loss": 0.52}
    runs.save(path, [state.replace(step=jnp.int32(3))], [record | {"val_accuracy": 0.75, "seconds": 0.1}])
    return path


@pytest.fixture(params=["unfinished", "finished"])
def run(tiny, tmp_path, request):
    path = Path(shutil.copytree(tiny, tmp_path / request.param))
    if request.param == "finished":
        runs.write_summary(path, {"best": runs.load_run(path).history[0], "test_loss": 0.5, "test_accuracy": 0.75})
    return path


def resealed(file, change):
    """Changes a file's content and makes its digest right."""
    content = json.loads(file.read_text())
    change(content)
    content.pop("digest", None)
    file.write_text(json.dumps(json_files.sealed(content)))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda content: content.update(format=3), "has the format 3; this version of cnnviz reads 1 and 2."),
        (
            lambda content: content.update(format=3, historie=content.pop("history")),
            "has the format 3; this version of cnnviz reads 1 and 2, and read as format 2 it has historie, which this "
            r"version of cnnviz does not know \(historie is perhaps history\) and lacks history\.",
        ),
        (lambda content: content.update(format=[2]), r"has the format \[2\]; this version of cnnviz reads 1 and 2."),
        (lambda content: content.update(format=True), "has the format True; this version of cnnviz reads 1 and 2."),
        (lambda content: content.pop("run"), r"is damaged \(run is missing\)."),
        (lambda content: content["run"].pop("config.json"), r"is damaged \(run.'config.json' is missing\)."),
        (lambda content: content.pop("files"), r"is damaged \(files is missing\)."),
        (lambda content: content.update(files=[]), r"is damaged \(files is \[\]; it must be an object\)."),
        (
            lambda content: content["files"].update({"../x": 64 * "0"}),
            r"a name in files is '../x'; it must be the name of",
        ),
        (
            lambda content: content.update(history=[{}]),
            r"\(history\[0\].epoch is missing, and so are .*step and .*val_loss\).",
        ),
        (lambda content: content.update(history=[[1]]), r"history\[0\] is \[1\]; it must be an object"),
        (
            lambda content: content.update(history=[{"epoch": 1, "step": 1, "val_loss": float("nan")}]),
            r"history\[0\].val_loss is nan; it must be a finite number",
        ),
        (
            lambda content: content.update(history=[{"epoch": 1, "step": 1, "val_loss": 10**400}]),
            r"history\[0\].val_loss is 1000",
        ),
        (
            lambda content: content.update(history=[{"epoch": 1, "step": 1, "val_loss": 1.0, "\x1b[2J": "x"}]),
            r"history\[0\].'\\x1b\[2J' is 'x'; it must be a number",
        ),
        (
            lambda content: content.update(history=[{"epoch": 1, "step": 1, "val_loss": 1.0, "seed": 7}]),
            "has files or records of other networks than the 1 that config.json asks for.",
        ),
    ],
)
def test_what_a_manifest_may_not_say_is_one_line(run, change, text):
    latest = max((run / "checkpoints").iterdir())
    resealed(latest / "manifest.json", change)
    with pytest.raises(InputError, match=text) as raised:
        runs.load_run(run)
    assert str(raised.value).isprintable()
    if "has the format" in text or "other networks" in text:  # not damaged, but of another version or run
        with pytest.raises(InputError, match=text):
            runs.load_states(run)
    else:
        assert runs.load_states(run)[1] == []
        assert re.search(text, runs.newest(run, runs.load_config(run), is_resumed=True).note)


@pytest.mark.parametrize("name", ["config.json", "checkpoints/step_00000000/manifest.json", "summary.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe\x00",
        b'{"format": 1, "format": 1}',
        b"9" * 5000,
    ],
)
def test_what_is_no_such_file_is_one_line(run, in_format_1, capsys, name, content):
    in_format_1(run)
    (run / name).write_bytes(content)
    for command in (["--resume", "--runs", str(run.parent), "--name", run.name], ["--verify", str(run)]):
        assert train.main(command) == 2
        stderr = capsys.readouterr().err
        assert name in stderr
        assert stderr.count("\n") == 1


def said(run):
    """All that the JSON files of a run say, as the commands read them; the line that says why they do not."""
    try:
        manifests = [checkpoints.manifest(checkpoints.folder_of(run, step)) for step in checkpoints.steps(run)]
        return runs.load_config(run), manifests, runs.read_summary(run)
    except InputError as error:
        return str(error)


@pytest.mark.slow
def test_each_flipped_bit_is_noticed_or_says_the_same(run):
    before, files, count = said(run), sorted(run.rglob("*.json")), {}
    assert (len(before), runs.damages(run)) == (3, [])
    for file in files:
        whole, places = file.read_bytes(), 8 * file.stat().st_size
        for bit in range(random.randrange(EVERY), places, EVERY):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            file.write_bytes(flipped)
            found = said(run)
            is_noticed = isinstance(found, str)
            assert found == before or (is_noticed and str(run) in found and "\n" not in found), f"bit {bit} of {file}"
            assert bool(runs.damages(run)) == is_noticed, f"bit {bit} of {file}"
            count[file.name, is_noticed] = count.get((file.name, is_noticed), 0) + 1
        file.write_bytes(whole)
    print(count)  # pytest -s shows it
    assert {name for name, is_noticed in count if is_noticed} == {file.name for file in files}
