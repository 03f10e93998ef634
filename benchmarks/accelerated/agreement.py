"""How far results on the accelerator are from those on this machine's CPU, as a share of the largest value.

Another process computes on the CPU while the accelerator is timed: most of it is compilation.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import Case, Row, Sizes, network_for, pixels
from cnnviz import logits
from cnnviz.atomic import atomic_write
from cnnviz.attribution import METHODS, attribute
from cnnviz.commands.console import multiply_in_float32
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.networks import Prepare
from cnnviz.registry import resolve
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

FEW = {"samples": 8, "steps": 8}
MOST = 1e-3  # of the largest value; beyond it a row says so
Compute = Callable[[], Any]


def cases(sizes: Sizes) -> Iterator[Case]:
    """The logits, the parameters after some steps of training, and each method's maps of eight images."""
    for name, compute in computed().items():
        yield Case(name, partial(difference, compute, references(sizes) / f"{name}.npy"))


def computed() -> dict[str, Compute]:
    """What is compared, by name; on every device of the same variables, images and key."""
    model, images = CNN(), np.random.default_rng(0).uniform(size=(8, 28, 28, 1)).astype(np.float32)
    found: dict[str, Compute] = {"logits": lambda: logits(model, drawn(model, images), images)}
    found["parameters after 16 steps"] = partial(trained, model)
    return found | {name: partial(explained, name, images) for name in METHODS}


def explained(name: str, images: np.ndarray) -> Any:
    """A method's maps of class 1, of few samples or steps."""
    known = {field.name for field in fields(resolve(METHODS, name, "method"))}
    options: Any = {option: value for option, value in FEW.items() if option in known}
    model, key = network_for(name), jax.random.key(0)
    return attribute(name, model, drawn(model, images), images, 1, key=key, data=images, **options)


def drawn(model: Any, images: np.ndarray) -> Any:
    """Variables of the model that are the same wherever they are drawn."""
    draw, shapes = np.random.default_rng(1), jax.eval_shape(model.init, jax.random.key(0), images)
    scaled = lambda leaf: draw.normal(0, (leaf.size / leaf.shape[-1] or 1) ** -0.5, leaf.shape).astype(np.float32)
    return jax.tree.map(scaled, shapes)


def difference(compute: Compute, reference: Path) -> Row:
    """Of what is computed on the default device from the reference, which is waited for."""
    try:
        found = _flat(compute())
    except InputError as error:
        return {"skipped": str(error)}
    begun = time.monotonic()
    while not reference.exists():
        if time.monotonic() - begun > WAIT:
            return {"skipped": f"the CPU had no result {WAIT} s later"}
        time.sleep(0.05)
    wanted = np.load(reference)
    if wanted.shape != found.shape:
        return {"failed": f"{found.size} values, and {wanted.size} on the CPU"}
    apart = float(np.abs(found - wanted).max()) / (float(np.abs(wanted).max()) or 1.0)
    return {"difference": apart, "agrees": "yes" if apart <= MOST else f"no, more than {MOST:g}"}


def trained(model: Any) -> Any:
    """The parameters after some steps of plain gradient descent, in which roundings do not grow as in Adam's."""
    recipe = Recipe(batch_size=32, optimizer="sgd", learning_rate=0.01)
    images, labels = pixels(512, (28, 28, 1))
    step = jax.jit(make_step(model, recipe, Prepare(), steps=16, divided=True))
    key = jax.random.key(0)
    state = initial_state(model, recipe, (28, 28, 1), key)
    for first in range(0, 512, 32):
        state, _ = step(state, key, images[first : first + 32], labels[first : first + 32])
    return state.params


def start(sizes: Sizes) -> subprocess.Popen:
    """The process that computes the references, on half of the processors."""
    folder = references(sizes)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __name__, str(folder), str(os.getpid())]
    return subprocess.Popen(command, env={**os.environ, "JAX_PLATFORMS": "cpu"}, cwd=Path(__file__).parents[2])


def references(sizes: Sizes) -> Path:
    return sizes.out.resolve() / "on_cpu"


def write_references(folder: Path, asker: int) -> None:
    """One file for each result, without numbers for what could not be computed, while process `asker` lives."""
    for name, compute in computed().items():
        if os.getppid() != asker:
            return
        try:
            found = _flat(compute())
        except Exception:  # the other process says why, as it computes the same
            found = np.empty(0)
        with atomic_write(folder / f"{name}.npy") as path, path.open("wb") as file:
            np.save(file, found)


def _flat(tree: Any) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)])


WAIT = 60

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the other process ends this one
    os.nice(10)
    if hasattr(os, "sched_setaffinity"):  # half of the processors are left to the process that measures
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[len(mine) // 2 :])
    multiply_in_float32()
    write_references(Path(sys.argv[1]), int(sys.argv[2]))
