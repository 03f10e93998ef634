"""Atomic writes: complete, or as if nothing had been written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cnnviz import atomic
from cnnviz.atomic import atomic_write, clear_unfinished


def test_an_exception_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")

    def interrupted():
        with atomic_write(path) as temporary:
            temporary.write_text("after")
            raise KeyboardInterrupt

    pytest.raises(KeyboardInterrupt, interrupted)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", [False, True])
def test_what_is_written_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch, folder):
    path, synced, fsync = tmp_path / "a.json", [], os.fsync

    def recorded(descriptor):
        synced.append((os.fstat(descriptor).st_ino, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", recorded)
    with atomic_write(path) as temporary:
        if folder:
            (temporary / "b").mkdir(parents=True)
        (temporary / "b" / "c" if folder else temporary).write_text("after")
    inode = lambda file: file.stat().st_ino
    content = [(inode(path / "b"), False), (inode(path / "b" / "c"), False)] if folder else []
    assert synced == [*content, (inode(path), False), (inode(tmp_path), True)]


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "other").touch()
    with pytest.raises(OSError, match="not empty"), atomic_write(path) as temporary:
        temporary.mkdir()
    assert [file.name for file in path.iterdir()] == ["other"]


def test_a_folder_is_replaced_where_that_is_asked_for(tmp_path):
    path = tmp_path / "checkpoint"
    for name in ("before", "after"):
        with atomic_write(path, replace_folder=True) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [file.name for file in path.iterdir()] == ["after"]
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_that_write_one_file_do_not_disturb_each_other(tmp_path):
    path, both = tmp_path / "a.json", threading.Barrier(2, timeout=10)
    faults = []

    def write(text):
        try:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
                both.wait()
        except (OSError, threading.BrokenBarrierError) as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert path.read_text() in ("one", "two")
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from cnnviz.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.mkdir()
    (temporary / "half").write_text("half")
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has begun to write the folder "run", and does not come to its end."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "run")]
    root = Path(atomic.__file__).parents[1]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path, writer):
    (left,) = tmp_path.iterdir()
    clear_unfinished(tmp_path)
    assert (left / "run" / "half").exists()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    others = [left.with_name(name) for name in (".lock", ".step", f".run.host-{writer.pid}-1", left.name[1:])]
    for other in others:
        other.mkdir()
    clear_unfinished(tmp_path)
    assert set(tmp_path.iterdir()) == set(others)


def test_what_another_machine_or_container_left_stays(tmp_path, writer, monkeypatch):
    (left,) = tmp_path.iterdir()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    monkeypatch.setattr(atomic, "_machine", lambda: 12 * "0")
    clear_unfinished(tmp_path)
    assert left.exists()


def test_a_link_that_has_such_a_name_leads_nowhere(tmp_path, writer):
    (left,) = tmp_path.iterdir()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    (tmp_path / "outside").mkdir()
    left.rename(tmp_path / "outside" / "kept")
    left.symlink_to(tmp_path / "outside")
    clear_unfinished(tmp_path)
    assert (tmp_path / "outside" / "kept" / "run" / "half").exists()
