"""All units of relu1 and relu2 taken away one at a time: `units.ablation`, and a loop over networks zeroed by hand.

python benchmarks/units_ablation.py [--run RUN] [--images 10000]

The loop is plain jitted Flax: a kernel's column and its bias are set to zero, which is the unit after its ReLU. Prints
seconds of both in Markdown, whether they count the same right answers, and on how many images they differ.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz import data, networks, units
from cnnviz.networks import Net

LAYERS = {"relu1": "conv1", "relu2": "conv2"}
ROWS = 500  # per batch of the loop


def by_hand(net: Net, images: np.ndarray, labels: np.ndarray, conv: str) -> np.ndarray:
    """Right answers by unit and class `[u k]`, one network with a zeroed unit after another."""
    right = jax.jit(lambda variables, x, y: net.model.apply(variables, x).argmax(-1) == y)
    batches = [
        (net.prepare(images[i : i + ROWS]), jnp.asarray(labels[i : i + ROWS])) for i in range(0, len(images), ROWS)
    ]
    found = []
    for unit in range(net.variables["params"][conv]["bias"].size):
        zeroed = jax.tree.map(lambda leaf: leaf, net.variables)
        own = zeroed["params"][conv]
        own |= {"kernel": own["kernel"].at[..., unit].set(0), "bias": own["bias"].at[unit].set(0)}
        each = np.concatenate([np.asarray(right(zeroed, *batch)) for batch in batches])
        found.append(np.bincount(labels[each], minlength=10))
    return np.stack(found)


def ours(net: Net, images: np.ndarray, labels: np.ndarray, layer: str) -> np.ndarray:
    """The same of a layer, by `units.ablation`."""
    return units.ablation(net.model, net.variables, images, labels, layer, prepare=net.prepare).right_without


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What the function gives, and the seconds that it took."""
    start = time.perf_counter()
    found = function()
    return found, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="runs/best")
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    net, dataset = networks.open(options.run), data.load("fashion_mnist")
    images, labels = dataset.test.images[: options.images], np.asarray(dataset.test.labels[: options.images])
    print("| layer | units.ablation | loop | ratio | right answers that differ |\n|---|---|---|---|---|")
    totals = np.zeros(2)
    for layer, conv in LAYERS.items():
        ours(net, images[:64], labels[:64], layer)  # compiles
        found, fast = timed(partial(ours, net, images, labels, layer))
        expected, slow = timed(partial(by_hand, net, images, labels, conv))
        totals += fast, slow
        differ = np.abs(found - expected).sum()
        print(f"| {layer} | {fast:.1f} s | {slow:.1f} s | {slow / fast:.1f} | {differ} |", flush=True)
    print(f"| both | {totals[0]:.1f} s | {totals[1]:.1f} s | {totals[1] / totals[0]:.1f} | |")


if __name__ == "__main__":
    main()
