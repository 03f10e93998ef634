"""What each rewrite of `fast/` gains here: `cnnviz/fast/switch.py` turns on those that do; and rows of a chunk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import NETWORKS, Case, Row, Sizes, pixels, timed
from benchmarks.accelerated.passes import predictions, rate, statistics
from cnnviz.attribution import attribute
from cnnviz.fast.switch import REWRITES, Rewrite
from cnnviz.networks import Prepare
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

WORK = {  # what each of them is for
    Rewrite.POOLING: ("a training step", "gradient"),
    Rewrite.KERNEL_GRADIENT: ("a training step",),
    Rewrite.MICROBATCHES: ("a training step",),
    Rewrite.CONVOLUTIONS: ("gradient", "smooth_grad"),
    Rewrite.DEDUPLICATION: ("deep_lift", "layer_conductance"),
    Rewrite.LINEAR_SAMPLES: ("smooth_grad", "integrated_gradients"),
    Rewrite.CHANNEL_SETS: ("ablation_cam", "score_cam"),
    Rewrite.BOXES: ("occlusion", "feature_ablation"),
    Rewrite.LANES: ("gradient", "smooth_grad"),
    Rewrite.REDUCTIONS: ("statistics of all units",),
}
CALLS = 8  # of what is sent from two threads
CHUNKS = (256, 1024, 4096, 16384)
MODEL, SHAPE = NETWORKS["cnn"]


def cases(sizes: Sizes) -> Iterator[Case]:
    """Each rewrite on and off, in what it is for."""
    for rewrite, names in WORK.items():
        for name in names:
            yield Case(f"{rewrite.name.lower()}, {name}", partial(gain, rewrite, name, sizes))


def chunks(sizes: Sizes) -> Iterator[Case]:
    """Predictions and a sampled method with so many rows in one call."""
    for rows in CHUNKS:
        yield Case(f"predictions, {rows} rows", partial(predicted, rows, sizes))
        yield Case(f"smooth_grad, {rows} rows", partial(maps, "smooth_grad", rows, sizes))
        yield Case(f"gradient, {rows} rows", partial(maps, "gradient", rows, sizes))


def gain(rewrite: Rewrite, name: str, sizes: Sizes) -> Row:
    """The seconds with it and without it."""
    found: dict[str, float] = {}
    for on in (True, False):
        with switched(rewrite, on):
            jax.clear_caches()
            found["on" if on else "off"] = timed(work(rewrite, name, sizes), sizes)["seconds"]
    now = "on" if rewrite in REWRITES[jax.default_backend()] else "off"
    return {
        "ms with it": 1e3 * found["on"],
        "ms without": 1e3 * found["off"],
        "gain": found["off"] / found["on"],
        "is": now,
    }


@contextmanager
def switched(rewrite: Rewrite, on: bool) -> Iterator[None]:
    """The table of this backend with the rewrite on, or off."""
    backend = jax.default_backend()
    usual = REWRITES[backend]
    REWRITES[backend] = usual | {rewrite} if on else usual - {rewrite}
    try:
        yield
    finally:
        REWRITES[backend] = usual


def work(rewrite: Rewrite, name: str, sizes: Sizes) -> Callable[[], Any]:
    if name == "a training step":
        return training_step(sizes)
    if name == "statistics of all units":
        return partial(statistics, MODEL, variables(), pixels(sizes.data, SHAPE)[0])
    return explained(name, sizes.rows[0], max(1, sizes.rows[0] // CALLS) if rewrite is Rewrite.LANES else None)


def training_step(sizes: Sizes) -> Callable[[], Any]:
    recipe = Recipe(batch_size=sizes.rows[0])
    images, labels = map(jax.device_put, pixels(recipe.batch_size, SHAPE))
    state = initial_state(MODEL, recipe, SHAPE, KEY)
    step = jax.jit(make_step(MODEL, recipe, Prepare(), steps=1))
    return lambda: step(state, KEY, images, labels)


def explained(name: str, count: int, batch_size: int | None) -> Callable[[], Any]:
    images = jax.device_put(np.random.default_rng(0).uniform(size=(count, *SHAPE)).astype(np.float32))
    held = variables()
    return lambda: attribute(name, MODEL, held, images, 1, key=KEY, batch_size=batch_size)


def predicted(rows: int, sizes: Sizes) -> Row:
    return rate(partial(predictions, batch_size=rows), MODEL, variables(), pixels(sizes.data, SHAPE)[0], sizes)


def maps(name: str, rows: int, sizes: Sizes) -> Row:
    found = timed(explained(name, sizes.rows[-1], rows), sizes)
    return {"ms an image": 1e3 * found.pop("seconds") / sizes.rows[-1], **found}


def variables() -> Any:
    return jax.jit(MODEL.init)(KEY, np.zeros((1, *SHAPE), np.float32))


KEY = jax.random.key(0)
