"""HDF5 is read in a process of its own: whatever a file does to it, the user is told in one line."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnviz.commands import visualize
from cnnviz.errors import InputError
from cnnviz.interop import isolated, load_keras
from cnnviz.interop.keras import hdf5

GOLDENS = Path(__file__).parent / "goldens" / "keras"
CHAPTER = GOLDENS / "keras2_chapter.h5"
DAMAGED = "the file cannot be read, it is damaged or cut off"


def described(path, layers, image_shape):
    """A file of Keras 2 with these layers and no weights."""
    layers[0]["config"]["batch_input_shape"] = [None, *image_shape]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        file.attrs["keras_version"] = "2.9.0"
        file.create_group("model_weights")
    return path


def layer(kind, **config):
    return {"class_name": kind, "config": {"name": "it", **config}}


def refused_by_the_command(path, capsys):
    """What the command says of the file, on one line of stderr."""
    assert visualize.main(["layers", str(path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    start = f"visualize.py: {path} cannot be read as a Keras model: "
    assert said.startswith(start)
    return said.removeprefix(start)


# one changed byte each; which of these HDF5 crashes on or loops over depends on its version


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("keras2_convolutions", 1009, 5), ("keras2_chapter", 1817, 255), ("keras2_chapter", 5992, None)],
)
def test_a_byte_that_ends_hdf5(tmp_path, capsys, name, place, value):
    content = bytearray((GOLDENS / f"{name}.h5").read_bytes())
    content[place] = content[place] ^ 32 if value is None else value
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    start = time.monotonic()
    with pytest.raises(InputError):
        load_keras(path)
    assert time.monotonic() - start < 10
    assert refused_by_the_command(path, capsys).startswith(DAMAGED)


@pytest.mark.parametrize("image_shape", [(2**31 - 1,) * 3, (2**21, 2**21, 3)])
def test_an_image_that_no_machine_can_hold(tmp_path, capsys, image_shape):
    path = described(tmp_path / "model.h5", [layer("Activation", activation="relu")], image_shape)
    said = refused_by_the_command(path, capsys)
    assert said.startswith(f"one image of {image_shape} and what its layers make of it take at least ")


def test_a_layer_that_asks_for_more_than_there_is(tmp_path, monkeypatch):
    path = described(tmp_path / "model.h5", [layer("ZeroPadding2D", padding=[[99, 0], [0, 99]])], (1, 1, 3))
    monkeypatch.setattr("cnnviz.errors.memory.most", lambda: 4 * (3 + 3 * 100 * 100))
    load_keras(path)
    monkeypatch.setattr("cnnviz.errors.memory.most", lambda: 4 * 3 * 100 * 100)
    said = "one image of (1, 1, 3) and what its layers make of it take at least 120 kB of memory; there are 120 kB."
    with pytest.raises(InputError, match=re.escape(said) + "$"):
        load_keras(path)


@pytest.mark.parametrize(
    ("wide", "said"),
    [
        (layer("MaxPooling2D", pool_size=[3, 2**31 - 1], padding="same"), "pool_size = [3, 2147483647]"),
        (layer("AveragePooling2D", pool_size=1025, padding="same"), "pool_size = [1025, 1025]"),
        (
            layer("Conv2D", filters=1, kernel_size=3, dilation_rate=2**30, padding="same"),
            "kernel_size = [3, 3] and dilation_rate = [1073741824, 1073741824]",
        ),
    ],
    ids=lambda value: value["class_name"] if isinstance(value, dict) else "",
)
def test_a_window_that_would_take_hours(tmp_path, capsys, wide, said):
    path = described(tmp_path / "model.h5", [wide], (8, 8, 3))
    assert f"has {said}, so its window spans " in refused_by_the_command(path, capsys)


def test_a_description_of_endless_layers(tmp_path):
    described_layers = [layer("Activation", activation="relu") for _ in range(2001)]
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver="latest") as file:  # which can store longer attributes
        config = {"class_name": "Sequential", "config": {"layers": described_layers}}
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights")
    with pytest.raises(InputError, match="lists 2001 layers; at most 2000 can be read.$"):
        load_keras(path)


# more than there is in the file


@pytest.fixture
def chapter(tmp_path):
    return Path(shutil.copy(CHAPTER, tmp_path / "model.h5"))


def test_groups_in_themselves(chapter):
    with h5py.File(chapter, "r+") as file:
        for i in range(20):
            file["model_weights"][f"again{i}"] = file["model_weights"]
    model, _ = load_keras(chapter)
    assert len(model.layers) == 8


def test_one_weight_in_many_places(chapter):
    with h5py.File(chapter, "r+") as file:
        weights = file["model_weights"]
        del weights["conv2d_1/conv2d_1/bias:0"]
        weights["conv2d_1/conv2d_1/bias:0"] = weights["dense_1/dense_1/bias:0"]
    with pytest.raises(InputError, match="/bias:0 lies at two places in the file; Keras writes each weight once.$"):
        load_keras(chapter)


def test_one_weight_listed_twice(chapter):
    with h5py.File(chapter, "r+") as file:
        file["model_weights/conv2d"].attrs["weight_names"] = ["conv2d/kernel:0", "conv2d//kernel:0"]
    with pytest.raises(InputError, match="lists conv2d/conv2d/kernel:0 twice; each weight has a place of its own.$"):
        load_keras(chapter)


def test_a_name_with_a_slash_is_not_a_path(chapter):
    """HDF5 takes it for one, and would go through the link that it names."""
    content = chapter.read_bytes()
    assert b"dropout\0" in content
    chapter.write_bytes(content.replace(b"dropout\0", b"dr/pout\0"))
    with h5py.File(chapter, "r+") as file:
        assert "dr/pout" in list(file["model_weights"])
        file["model_weights/dr"] = h5py.ExternalLink("other.h5", "/")
    with chapter.open("rb") as file:
        below = [place for place in hdf5.read(file).nodes if place.startswith("/model_weights/dr")]
    assert below == ["/model_weights/dr"]


# the process


def test_the_program_is_light_and_this_process_does_without_hdf5():
    check = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-I", "-c", check, str(hdf5.PROGRAM)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "h5py" in found
    assert not {"jax", "flax", "cnnviz", "jaxtyping"} & set(found)
    check = "import sys; from cnnviz import interop; interop.load_keras(sys.argv[1]); print('h5py' in sys.modules)"
    command = [sys.executable, "-c", check, str(CHAPTER)]
    root = Path(__file__).parent.parent
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    assert found == "False\n"


def test_modules_beside_the_file_are_not_imported(tmp_path, monkeypatch):
    for name in ("h5py", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text("open('PWNED', 'w').write('ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONINSPECT", "1")  # would read what to run from the file
    load_keras(CHAPTER)
    assert not (tmp_path / "PWNED").exists()


def test_from_many_threads():
    with ThreadPoolExecutor(4) as pool:
        models = {model for model, _ in pool.map(load_keras, [CHAPTER] * 8)}
    assert len(models) == 1


def test_a_large_file(tmp_path):
    """Its limits grow with its size; 120 MB here, of which one weight is nearly all."""
    units = 30_000_000 // 16
    dense = layer("Dense", units=units, use_bias=False)
    path = described(tmp_path / "model.h5", [layer("Flatten"), dense], (4, 4, 1))
    dense["config"]["name"] = "dense"
    described(path, [layer("Flatten"), dense], (4, 4, 1))
    kernel = np.arange(16 * units, dtype=np.float32).reshape(16, units)
    with h5py.File(path, "r+") as file:
        weights = file["model_weights"]
        weights.attrs["layer_names"] = ["dense"]
        weights["dense/kernel:0"] = kernel
        weights["dense"].attrs["weight_names"] = ["kernel:0"]
    _, variables = load_keras(path)
    np.testing.assert_array_equal(variables["params"]["dense"]["kernel"], kernel)


def program(folder, code):
    """A program to take the place of the one that reads HDF5."""
    path = folder / "program.py"
    path.write_text(f"import json, os, sys, time\nout = sys.stdout.buffer\n{code}\nout.flush()\n")
    return path


def answered(nodes, values=b""):
    text = json.dumps(nodes).encode()
    return f"out.write({b'%d %d' % (len(text), len(values)) + bytes([10]) + text + values!r})"


ROOT = {"attributes": {}, "members": []}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "HDF5 ended with SIGSEGV"),
        ("os._exit(3)", "HDF5 ended with code 3"),
        ("time.sleep(60)", "HDF5 did not end in time, or the machine is too busy at the moment"),
        ("while True: out.write(bytes(65536))", "HDF5 did not end in time, or the machine is too busy at the moment"),
        (f"out.write(b'10 {2**40}' + bytes([10]) + bytes(10)); out.flush(); os._exit(0)", "HDF5 ended with code 0"),
        ("out.write(b'-1 2' + bytes([10]) + bytes(10))", "HDF5 ended with code 0"),
        ("out.write(b'3 0' + bytes([10]) + b'[[[')", "HDF5 gave Expecting value: line 1 column 4 (char 3)"),
        (answered([]), "HDF5 gave something else than places in the file"),
        (answered({"": {**ROOT, "members": [1]}}), "HDF5 gave something else than places in the file"),
        (answered({"": {**ROOT, "attributes": {"backend": 1}}}), "HDF5 gave something else than places in the file"),
        (answered({"": ROOT, "/x": {"shape": [-1]}}, bytes(8)), "HDF5 gave something else than places in the file"),
        (
            answered({"": ROOT, "/x": {"shape": [2**62, 9]}}, bytes(8)),
            f"HDF5 gave cannot reshape array of size 2 into shape ({2**62},9)",
        ),
        (answered({"": ROOT}, bytes(3)), "HDF5 gave buffer size must be a multiple of element size"),
    ],
    ids=range(13),
)
def test_an_answer_is_not_trusted(tmp_path, monkeypatch, code, reason):
    monkeypatch.setattr(hdf5, "PROGRAM", program(tmp_path, code))
    monkeypatch.setattr(hdf5, "SECONDS", 2)
    with pytest.raises(InputError) as raised:
        load_keras(CHAPTER)
    assert str(raised.value) == f"{CHAPTER} cannot be read as a Keras model: {DAMAGED} ({reason})."


def test_a_program_that_cannot_start(tmp_path, monkeypatch):
    path = program(tmp_path, "import nothing_of_this_name")
    monkeypatch.setattr(hdf5, "PROGRAM", path)
    with pytest.raises(InputError, match="cannot start .*program.py, which reads it in a process of its own.$"):
        load_keras(CHAPTER)


def test_an_interrupt_ends_both(tmp_path):
    started = tmp_path / "started"
    path = program(tmp_path, f"open({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")

    ended = threading.Event()

    def interrupt():
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        while not ended.wait(2):  # again, since an interrupt in a finalizer is lost
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a program in the background ignores
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with CHAPTER.open("rb") as file, pytest.raises(KeyboardInterrupt):
            isolated.ask(path, file, 30.0, (1, 1))
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
