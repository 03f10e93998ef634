"""Which fraction of the device's peak a step, a pass and a gradient reach; peaks are those of a product and a copy."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerated.case import NETWORKS, Case, Row, Sizes, pixels, timed
from cnnviz.networks import Prepare
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

PRODUCTS = {"float32": "float32", "tensorfloat32": "tensorfloat32", "bfloat16": "default"}
NEEDED = ("product in float32", "copy")  # peaks that fractions are of


def cases(sizes: Sizes) -> Iterator[Case]:
    peaks: dict[str, float] = {}
    for name, precision in PRODUCTS.items():
        yield Case(f"product in {name}", partial(product_peak, name, precision, peaks, sizes))
    yield Case("copy", partial(copy_peak, peaks, sizes))
    for network in NETWORKS:
        for what, made in {"forward pass": forward, "training step": step}.items():
            name = f"{network}, {what}, batch {sizes.batches[-1]}, float32"
            yield Case(name, partial(fraction, made, network, sizes.batches[-1], peaks, sizes))


def product_peak(name: str, precision: str, peaks: dict[str, float], sizes: Sizes) -> Row:
    """Floating-point operations per second of one square product."""
    kind = jnp.bfloat16 if name == "bfloat16" else jnp.float32
    square = jax.random.normal(KEY, (sizes.side, sizes.side), kind)  # zeros would be faster than what is real
    multiply = jax.jit(lambda a: jnp.matmul(a, a, precision=precision))
    found = timed(lambda: multiply(square), sizes)
    peaks[f"product in {name}"] = 2 * sizes.side**3 / found["seconds"]
    return {"TFLOP/s": peaks[f"product in {name}"] / 1e12, **found}


def copy_peak(peaks: dict[str, float], sizes: Sizes) -> Row:
    """Bytes per second, read and written."""
    array = jax.random.normal(KEY, (sizes.copied,))
    shift = jax.jit(lambda a: a + 1)
    found = timed(lambda: shift(array), sizes)
    peaks["copy"] = 2 * array.nbytes / found["seconds"]
    return {"GB/s": peaks["copy"] / 1e9, **found}


def fraction(made: Callable, network: str, batch: int, peaks: dict[str, float], sizes: Sizes) -> Row:
    """The larger of operations and of bytes, as XLA counts them, over what the device could do in the time.

    Operations are those of the program before XLA hands convolutions to a library, whose calls it counts as none.
    """
    if missing := [name for name in NEEDED if name not in peaks]:
        return {"skipped": f"it is a fraction of a peak that was not measured: {', '.join(missing)}"}
    function, arguments = made(network, batch)
    lowered = jax.jit(function).lower(*arguments)
    compiled = lowered.compile()
    counted: Any = lowered.cost_analysis() or {}
    cost: Any = compiled.cost_analysis() or {}
    found = timed(lambda: compiled(*arguments), sizes)
    operations, moved = counted.get("flops", np.nan), cost.get("bytes accessed", np.nan)
    of_products = operations / found["seconds"] / peaks["product in float32"]
    of_copy = moved / found["seconds"] / peaks["copy"]
    row = {"GFLOP": operations / 1e9, "GB": moved / 1e9, "of product": of_products, "of copy": of_copy}
    return {**row, "fraction": float(np.nanmax([of_products, of_copy])), **found}


def forward(network: str, batch: int) -> tuple[Callable, tuple[Any, ...]]:
    model, shape = NETWORKS[network]
    images = jax.random.uniform(KEY, (batch, *shape))
    with jax.default_matmul_precision("float32"):
        return lambda variables, images: model.apply(variables, images), (model.init(KEY, images[:1]), images)


def step(network: str, batch: int) -> tuple[Callable, tuple[Any, ...]]:
    model, shape = NETWORKS[network]
    recipe = Recipe(batch_size=batch)
    images, labels = pixels(batch, shape)
    state = initial_state(model, recipe, shape, KEY)
    return make_step(model, recipe, Prepare(), steps=1, divided=True), (state, KEY, images, labels)


KEY = jax.random.key(0)
