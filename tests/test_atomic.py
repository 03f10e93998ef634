"""Atomic writes: complete, or as if nothing had been written."""

import os
import threading

import pytest

from cnnviz.atomic import atomic_write


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
