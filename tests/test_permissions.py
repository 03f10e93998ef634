"""Files and folders that this user may not read or write: one sentence that names what is denied, and exit code 2."""

import ctypes
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.atomic import atomic_write
from cnnviz.commands import console, faults, report, train, visualize
from cnnviz.commands.listing import list_runs
from cnnviz.interop.weights import read_weights
from cnnviz.runs import checkpoints

SUFFIX = "cannot be read or written: Permission denied; give one that this user may use."
DENIED = "cannot be read: Permission denied."
OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root read and write everything
VERSION = 0x20080522  # of Linux's capset


def obey(obeys):
    """Whether files' permissions bind this thread; that of root they only do, on Linux, without its capabilities."""
    if os.geteuid():
        return True
    if sys.platform != "linux":
        return False
    call, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(VERSION, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, for 32 capabilities each, twice
    if call.capget(header, data):
        return False
    data[0] = data[0] & ~OVERRIDES if obeys else data[0] | data[1] & OVERRIDES
    return call.capset(header, data) == 0


@pytest.fixture
def here(monkeypatch, tmp_path):
    """An empty working folder, where permissions bind also root."""
    monkeypatch.chdir(tmp_path)
    if not obey(True):
        pytest.skip("root may read and write everything here")
    yield tmp_path
    obey(False)
    for entry in tmp_path.iterdir():
        entry.chmod(0o700)


def made(name, mode=0):
    """A folder with a file in it, or a file, with this mode."""
    path = Path(name)
    if name.endswith("/"):
        path.mkdir(exist_ok=True)
        (path / "config.json").touch()
    else:
        path.touch()
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("main", "name", "arguments"),
    [
        (train.main, "runs/", ["--resume"]),
        (train.main, "runs/", ["--list"]),
        (train.main, "runs/", ["--name", "x"]),
        (visualize.main, "runs/", ["kernels"]),
        (visualize.main, "run/", ["kernels", "run"]),
        (visualize.main, "run/", ["kernels", "run@3"]),
        (train.main, "run/", ["--verify", "run"]),
        (train.main, "run/", ["--init-from", "run"]),
        (train.main, "run/", ["--export", "run", "--to", "msgpack"]),
        (train.main, "photos/", ["--dataset", "photos"]),
        (visualize.main, "photos/", ["kernels", "photos/a.png"]),
        (train.main, "data.npz", ["--dataset", "data.npz"]),
        (train.main, "own.toml", ["--config", "own.toml"]),
    ],
)
def test_what_may_not_be_used_is_named_in_one_sentence(main, name, arguments, here, capsys):
    made(name)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.partition(": ")[2] in (f"{name.rstrip('/')} {SUFFIX}", f"{here / name} {SUFFIX}", f"{name} {DENIED}")


@pytest.mark.parametrize(
    ("main", "typed"),
    [
        (visualize.main, "kernels model.h5 --out out"),
        (visualize.main, "kernels model.h5 --out out/new/one"),
        (report.main, "model.h5 --out out/report.html"),
    ],
)
def test_a_folder_that_may_not_be_written_to_is_refused_early(main, typed, here, monkeypatch, capsys):
    made("out/", 0o500)
    made("model.h5", 0o600)
    monkeypatch.setattr(faults, "check_machine", lambda: pytest.fail("it went on"))
    assert main(typed.split()) == 2
    assert capsys.readouterr().err.partition(": ")[2] in (f"out {SUFFIX}\n", f"{here / 'out'} {SUFFIX}\n")


def test_a_new_file_s_folder_is_named_and_not_a_temporary_file(here, capsys):
    made("out/", 0o500)

    def write():
        with atomic_write(Path("out/picture.png")) as temporary:
            temporary.touch()
        return 0

    assert console.answered(write, [], "x", "it") == 2
    assert capsys.readouterr().err == f"x: out {SUFFIX}\n"


def test_a_run_that_may_not_be_read_has_a_row_that_says_so(here, capsys):
    made("one/")
    made("two/", 0o700)
    Path("two/config.json").chmod(0)
    assert list_runs(Path("."), "run") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("Permission denied") == 2


def test_weights_checkpoints_and_pictures_are_not_said_to_be_damaged(here, capsys):
    made("w.npz")
    made("run/", 0o700)
    made("run/checkpoints/")
    for read in (lambda: read_weights("w.npz"), lambda: checkpoints.steps(Path("run"))):
        with pytest.raises(PermissionError):
            read()
    Path("run/checkpoints").chmod(0o700)
    for name in ("a", "b"):
        Path("photos", name).mkdir(parents=True)
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(f"photos/{name}/1.png")
    Path("photos/b/1.png").chmod(0)
    assert train.main(["--dataset", "photos"]) == 2
    assert "b/1.png is not a readable image (Permission denied); remove or" in capsys.readouterr().err
