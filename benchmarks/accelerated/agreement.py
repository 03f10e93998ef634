"""How far results on the accelerator are from those on this machine's CPU, as a share of the largest value."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import Case, Row, Sizes, pixels
from cnnviz import logits
from cnnviz.attribution import METHODS, attribute
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN
from cnnviz.networks import Prepare
from cnnviz.registry import resolve
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

FEW = {"samples": 8, "steps": 8}
MOST = 1e-3  # of the largest value; beyond it a row says so


def cases(sizes: Sizes) -> Iterator[Case]:
    """The logits, an epoch of training, and each method's maps of eight images."""
    del sizes
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        model, images = CNN(), np.random.default_rng(0).uniform(size=(8, 28, 28, 1)).astype(np.float32)
        variables = jax.tree.map(np.asarray, jax.jit(model.init)(KEY, images))
    yield Case("logits", partial(difference, lambda: logits(model, variables, images)))
    yield Case("parameters after 16 steps", partial(difference, partial(trained, model)))
    for name in METHODS:
        known = {field.name for field in fields(resolve(METHODS, name, "method"))}
        options = {option: value for option, value in FEW.items() if option in known}
        maps = partial(attribute, name, model, variables, images, 1, key=KEY, data=images, **options)
        yield Case(name, partial(difference, maps))


def difference(compute: Callable[[], Any]) -> Row:
    """Of what is computed on the default device, with products in float32, from the same on the CPU."""
    with jax.default_matmul_precision("float32"):
        try:
            found = _flat(compute())
        except InputError as error:
            return {"skipped": str(error)}
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            wanted = _flat(compute())
    largest = float(np.abs(wanted).max()) or 1.0
    apart = float(np.abs(found - wanted).max()) / largest
    return {"difference": apart, "agrees": "yes" if apart <= MOST else f"no, more than {MOST:g}"}


def trained(model: Any) -> Any:
    """The parameters after some steps of plain gradient descent, in which roundings do not grow as in Adam's."""
    recipe = Recipe(batch_size=32, optimizer="sgd", learning_rate=0.01)
    images, labels = pixels(512, (28, 28, 1))
    step = jax.jit(make_step(model, recipe, Prepare(), steps=16, divided=True))
    state = initial_state(model, recipe, (28, 28, 1), KEY)
    for first in range(0, 512, 32):
        state, _ = step(state, KEY, images[first : first + 32], labels[first : first + 32])
    return state.params


def _flat(tree: Any) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)])


KEY = jax.random.key(0)
