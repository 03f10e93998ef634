"""Networks that the tests share: what a user may bring."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from flax import nnx

from cnnviz import probe
from cnnviz.models import MODELS

jax.config.update("jax_numpy_rank_promotion", "raise")  # axes are named by hand, so that none is broadcast in silence

MAPPINGS = 20_000  # of 65,530 that Linux allows a process


@pytest.fixture(scope="module", autouse=True)
def _few_mappings():
    """Forgets what was compiled once it has many mappings: each function has some, and without any left XLA crashes."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPPINGS:
        jax.clear_caches()


LINEN = """
import flax.linen as nn


class Net(nn.Module):
    num_classes: int
    width: int = 4

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(self.width, (3, 3))(x)))
        x = nn.max_pool(x, (2, 2), strides=(2, 2)).mean((1, 2))
        return nn.Dense(self.num_classes)(nn.Dropout(0.2, deterministic=not train)(x))
"""


class Inner(nn.Module):
    """Sows twice around a convolution, in an order that is not alphabetical."""

    @nn.compact
    def __call__(self, x):
        self.sow("intermediates", "z", nn.relu(x))
        x = nn.Conv(4, (3, 3), name="y")(x)
        self.sow("intermediates", "a", nn.relu(x))
        return 2 * x


class Foreign(nn.Module):
    """Nested, remat'ed, re-used, with BatchNorm and a residual sum, a softmax at the end, and it wants `train`."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.Conv(4, (3, 3), name="z_first")(x)
        x = nn.BatchNorm(use_running_average=not train, name="norm")(x)
        shared = nn.Conv(4, (3, 3), name="shared")
        x = x + shared(nn.relu(shared(x)))
        x = nn.remat(Inner)(name="block")(x)
        x = nn.max_pool(x, (2, 2), strides=(2, 2)).mean((1, 2))
        return nn.softmax(nn.Dense(3, name="a_last")(x))


class Small(nnx.Module):
    """An NNX network with BatchNorm, dropout and a sown value."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.dense = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x)))
        self.sow(nnx.Intermediate, "relu", x)
        return self.dense(self.drop(x.mean((1, 2))))


@pytest.fixture(scope="session")
def images():
    return jax.random.uniform(jax.random.key(1), (5, 8, 8, 3))


@pytest.fixture(scope="session")
def foreign(images):
    model = Foreign()
    return model, jax.jit(lambda key: model.init(key, images, train=False))(jax.random.key(0))


@pytest.fixture(scope="session")
def small_nnx():
    return Small(nnx.Rngs(0))


@pytest.fixture(scope="session")
def toy():
    """Twelve-by-twelve images whose class is the half that is lit, learnable in a few steps: images, labels."""
    labels = jax.random.randint(jax.random.key(2), (200,), 0, 2)
    noise = jax.random.randint(jax.random.key(3), (200, 12, 12, 1), 0, 100)
    lit = (jnp.arange(12) >= 6)[None, :, None, None] == labels[:, None, None, None].astype(bool)
    return (noise + 120 * lit).astype(jnp.uint8), labels


@pytest.fixture(scope="module")
def data(tmp_path_factory, toy):
    """The toy images as an .npz file of 150 and 50, a module's own."""
    path = tmp_path_factory.mktemp("data") / "toy.npz"
    images, labels = map(np.asarray, toy)
    np.savez(path, x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:])
    return path


@pytest.fixture
def our_models(monkeypatch):
    """Our models alone, as a new process knows them, and its search path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(before)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a class in `net.py`."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(LINEN)
    return tmp_path


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No data set of this machine, no network, a cache of its own."""
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("CNNVIZ_OFFLINE", "1")
    monkeypatch.setattr("cnnviz.data.search.SYSTEM", tmp_path / "system")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def in_format_1():
    """`in_format_1(run)` makes a run what was written before manifests and summaries were of format 2."""

    def digest(content):
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def rewrite(run):
        for file in run.glob("checkpoints/*/manifest.json"):
            content = {
                name: value for name, value in json.loads(file.read_text()).items() if name not in ("run", "digest")
            }
            content["format"] = 1
            file.write_text(json.dumps({**content, "digest": digest(content)}, indent=1))
        if (file := run / "summary.json").exists():
            content = json.loads(file.read_text())
            file.write_text(json.dumps({name: content[name] for name in content if name not in ("format", "digest")}))

    return rewrite


@pytest.fixture
def unchecked():
    """The package as a user has it, whose annotations nobody checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def browser():
    """Chromium, for pages that are opened as files."""
    playwright, chromium = pytest.importorskip("playwright.sync_api"), shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser):
    """Opens a report's page, waits until it has shown all, and gives it with what went wrong or was requested."""
    contexts = []

    def start(page, address="", script="", **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "offline": True, **options}))
        view, faults = contexts[-1].new_page(), []
        view.add_init_script(script)
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
        view.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        view.goto(f"file://{page}{address}")
        if options.get("java_script_enabled", True):
            view.locator("body[data-done]").wait_for(timeout=60_000)
        return view, faults

    yield start
    for context in contexts:
        context.close()


def names_of_layers(model, variables, batches, images):
    """The names of a model's layers for each of the batches, and for these images in bfloat16 inside of jit."""
    found = []
    for batch in batches:
        jax.eval_shape(lambda v, x: found.append(list(probe.activations(model, v, x))), variables, batch)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables)
    jax.jit(lambda x: found.append(list(probe.activations(model, half, x)))).lower(images.astype(jnp.bfloat16))
    return found
