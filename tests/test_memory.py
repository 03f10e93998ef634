"""Memory that runs out is one line that says what was asked for; chunks are as small as their bytes demand."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.batching import IMAGE_ROWS, SAMPLED_ROWS, batch_size_or_default, chunks
from cnnviz.commands import faults
from cnnviz.errors import OutOfMemory, memory
from cnnviz.graph import cost
from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet
from cnnviz.probe.trace import trace
from cnnviz.training.footprint import check_memory
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state

ROOT = Path(__file__).parent.parent


class Wide(nn.Module):
    """Four filters, ReLU, a mean over places, and a dense layer."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="logits")(nn.relu(nn.Conv(4, (3, 3), name="conv")(x)).mean((1, 2)))


def shapes_of(model, shape):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))


def row_bytes(model, shape):
    images = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    return trace(model, shapes_of(model, shape), images, {}).row_bytes


def in_limits(code, **limits):
    """A Python process under resource limits."""

    def limit():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, preexec_fn=limit)


def test_what_is_left_is_less_than_the_limit_by_what_is_reserved():
    code = "from cnnviz.errors import memory\n"
    code += "a = memory.address_space(); x = bytearray(2**28); b = memory.address_space()\n"
    code += "print(a[0], a[1] - b[1], memory.free() <= b[1] < memory.most())"
    limit, reserved, in_order = in_limits(code, RLIMIT_AS=2**31).stdout.split()
    assert (int(limit), in_order) == (2**31, "True")
    assert 2**28 <= int(reserved) < 2**28 + 2**24


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1e3, "1 kB"), (43_212_345_678, "43.21 GB")]
)
def test_bytes_in_words(size, words):
    assert memory.in_words(int(size)) == words


def test_costs_by_hand():
    model, shape = Wide(), (8, 6, 3)
    traced = trace(model, shapes_of(model, shape), jax.ShapeDtypeStruct((1, *shape), jnp.float32), {})
    places = 8 * 6
    assert cost.products(traced.graph, *traced.images.values()) == places * 9 * 3 * 4 + 4 * 3
    assert cost.layer_bytes(traced.graph, *traced.images.values()) == 4 * (places * 4 + 3)
    assert cost.value_bytes(traced.graph, *traced.images.values()) >= 4 * (3 * places * 4 + 4 + 3)  # and bias, ReLU
    assert probe.products(model, shapes_of(model, shape), shape) == cost.products(traced.graph, *traced.images.values())


@pytest.mark.parametrize(
    ("model", "shape"), [(CNN(), (28, 28, 1)), (CNN(), (32, 32, 3)), (ResNet(), (28, 28, 1)), (ResNet(), (32, 32, 3))]
)
def test_the_usual_networks_have_the_usual_chunks(model, shape):
    both = 2 * row_bytes(model, shape)
    assert batch_size_or_default(None, IMAGE_ROWS, both) == IMAGE_ROWS[0]
    assert batch_size_or_default(None, SAMPLED_ROWS, both) == SAMPLED_ROWS[0]


def test_large_images_are_taken_one_by_one():
    assert batch_size_or_default(None, SAMPLED_ROWS, 2 * row_bytes(Wide(), (4096, 4096, 3))) == 1
    assert batch_size_or_default(None, IMAGE_ROWS, row_bytes(Wide(), (2048, 2048, 3))) in range(2, 6)
    assert batch_size_or_default(50, IMAGE_ROWS, 2**40) == 50  # as asked


def test_a_process_that_may_use_less_has_smaller_chunks(monkeypatch):
    monkeypatch.setattr("cnnviz.errors.memory.most", lambda: 2**20)
    assert batch_size_or_default(None, IMAGE_ROWS, 2**14) == 8


def test_an_accelerator_s_chunks_go_by_its_own_memory(monkeypatch):
    card = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 2**30})
    monkeypatch.setattr("cnnviz.errors.memory.most", lambda: 2**20)  # of the machine around it
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [card])
    assert batch_size_or_default(None, IMAGE_ROWS, 2**20) == 128
    assert batch_size_or_default(None, IMAGE_ROWS, 2**10) == IMAGE_ROWS[1]


@pytest.mark.parametrize("method", ["gradient", "smooth_grad", "guided_ig"])
def test_maps_do_not_depend_on_the_bytes_of_a_chunk(method, monkeypatch):
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 3))
    model = Wide()
    variables = model.init(jax.random.key(1), images)
    ask = lambda: np.asarray(attribute(method, model, variables, images, 1, key=jax.random.key(2)))
    usual, sizes = ask(), []
    monkeypatch.setattr("cnnviz.batching.chunks.MOST_BYTES", (1, 1))
    real = chunks.chunks
    watch = lambda rows, size=None, **more: sizes.append(size) or real(rows, size, **more)
    for module in ("rows", "samples", "steps"):
        monkeypatch.setattr(f"cnnviz.batching.{module}.chunks", watch)
    np.testing.assert_allclose(ask(), usual, rtol=1e-4, atol=1e-6)
    assert set(sizes) == {1}


def test_methods_that_take_no_derivative_have_twice_as_many_samples_at_once(monkeypatch):
    images = jax.random.uniform(jax.random.key(0), (1, 8, 8, 3))
    model, bytes_of = Wide(), []
    variables = model.init(jax.random.key(1), images)
    size = lambda asked, usual, bytes_: bytes_of.append(bytes_) or 4
    monkeypatch.setattr("cnnviz.attribution.run.batch_size_or_default", size)
    for method in ("smooth_grad", "rise", "hsic"):
        attribute(method, model, variables, images, 1, key=jax.random.key(2), samples=4)
    each = row_bytes(model, (8, 8, 3))
    assert bytes_of == [2 * each, each, each]


def test_a_training_that_cannot_fit_says_what_takes_how_much():
    model, recipe, shape = CNN(), Recipe(), (4096, 4096, 3)
    state = jax.eval_shape(lambda: initial_state(model, recipe, shape, jax.random.key(0)))
    with pytest.raises(OutOfMemory, match=r"about \d+.*GB for a batch of 8 images of 4096x4096x3\), and .* are free;"):
        check_memory(model, state, shape, 8)


def test_a_training_that_fits_is_not_refused():
    model, recipe, shape = CNN(), Recipe(), (28, 28, 1)
    state = jax.eval_shape(lambda: initial_state(model, recipe, shape, jax.random.key(0)))
    check_memory(model, state, shape, 512)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import numpy as np; np.ones(2**44, np.uint8)", "Unable to allocate 16.0 TiB for an array with shape"),
        ("bytearray(2**50)", "Memory ran out ("),
        ("import jax.numpy as jnp; jnp.zeros(2**42, jnp.uint8).block_until_ready()", "4.398 TB were asked for at once"),
        ('raise RuntimeError("can\'t start new thread")', "No further thread can be started"),
    ],
)
def test_what_cannot_be_allocated_is_one_line(code, said):
    ran = "from cnnviz.commands import console\nfrom dataclasses import dataclass\n"
    ran += "@dataclass\nclass O: debug: bool = False\n"
    ran += f"def command(options):\n    {code}\nraise SystemExit(console.run(command, O, [], 'x.py', smaller='--what'))"
    found = subprocess.run([sys.executable, "-c", ran], capture_output=True, text=True, cwd=ROOT)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
    assert said in found.stderr


def test_other_errors_are_not_taken_for_memory():
    assert faults.sentence(RuntimeError("a bug"), "this") is None
    assert faults.sentence(ValueError("out of memory of old days"), "this") is None


@pytest.mark.parametrize("command", ["train.py", "visualize.py"])
@pytest.mark.parametrize(("space", "said"), [(1_000_000_000, "1 GB"), (300_000_000, "300 MB")])
def test_too_little_address_space_is_said_before_a_library_dies_of_it(command, space, said):
    """JAX needs most; with 300 MB the libraries of Pillow cannot be loaded either."""
    network = ROOT / "tests" / "goldens" / "keras" / "keras2_chapter.h5"
    given = [command, *([str(network)] if command == "visualize.py" else [])]
    code = f"import runpy, sys; sys.argv = {given}; runpy.run_path('{command}', run_name='__main__')"
    found = in_limits(code, RLIMIT_AS=space)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert f"limited to {said}; give it" in found.stderr


def test_threads_that_cannot_be_started_are_said(monkeypatch):
    starts = []

    def start(thread):
        starts.append(thread)
        if len(starts) > 3:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", start)
    monkeypatch.setattr("threading.Thread.join", lambda thread: None)
    with pytest.raises(OutOfMemory, match="Only 3 of 32 threads can be started"):
        faults.check_machine()


@pytest.mark.parametrize("command", ["train.py", "visualize.py"])
def test_no_thread_for_the_blas_is_said_before_numpy_starts_it(command):
    """Its library interrupts the process, while NumPy is imported, if it cannot have a thread for each core."""
    no_thread = "raise RuntimeError('no thread')"
    code = f"import runpy, sys, threading; sys.argv = ['{command}']\ndef start(thread): {no_thread}\n"
    code += f"threading.Thread.start = start\ntry: runpy.run_path('{command}', run_name='__main__')\n"
    code += "except SystemExit as end: sys.exit(99 if 'numpy' in sys.modules else end.code)"
    found = in_limits(code)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert found.stderr.startswith(f"{command}: Only 0 of {os.cpu_count()} threads can be started")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JAX_PLATFORMS", "cuda", "JAX finds no device that JAX_PLATFORMS=cuda allows"),
        ("XLA_FLAGS", "--nonsense=1", "XLA does not start with XLA_FLAGS='--nonsense=1': Unknown flag in XLA_FLAGS"),
    ],
)
def test_devices_that_cannot_be_used_are_one_line(name, value, said, tmp_path):
    command = [sys.executable, "train.py", "--dataset", "garments", "--limit", "50", "--runs", str(tmp_path)]
    found = subprocess.run(command, env={**os.environ, name: value}, capture_output=True, text=True, cwd=ROOT)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
    assert said in found.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JAX_PLATFORMS", "cuda", "JAX finds no device that JAX_PLATFORMS=cuda allows"),
        (
            "JAX_ENABLE_X64",
            "nonsense",
            "JAX does not take a variable of the environment: invalid truth value 'nonsense'",
        ),
    ],
)
def test_what_jax_refuses_where_its_frames_are_hidden_is_one_line(name, value, said):
    """JAX leaves its own frames out of a traceback, so that its last one is another."""
    ran = "from cnnviz.commands import console\nfrom dataclasses import dataclass\n"
    ran += "@dataclass\nclass O: debug: bool = False\n"
    ran += "def command(options):\n    import jax\n    jax.numpy.asarray(1.5) + 1\n"
    ran += "raise SystemExit(console.run(command, O, [], 'x.py'))"
    environment = {**os.environ, name: value}
    found = subprocess.run([sys.executable, "-c", ran], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
    assert said in found.stderr


def test_a_backend_of_matplotlib_that_does_not_exist_is_no_matter(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    faults.check_machine()
    assert "MPLBACKEND" not in os.environ
