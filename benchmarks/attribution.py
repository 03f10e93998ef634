"""Attribution against Captum and pytorch-grad-cam on PyTorch: the same network, the same images, in one run.

    python benchmarks/attribution.py [--model FILE.h5] [--images 64]

Needs torch, captum and grad-cam, which cnnviz does not install. Times are medians of runs that take turns, after a
first call of each; compile time is our first call less the median.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.peers import PEERS, as_torch
from benchmarks.twin import twin
from cnnviz import data
from cnnviz.attribution import attribute
from cnnviz.interop import load_keras
from cnnviz.models.cnn import CNN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="a Keras file of the default network; else freshly drawn weights")
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    model, variables = load_keras(options.model) if options.model else fresh()
    split = data.first_available("fashion_mnist,garments", None)[0].test
    images = np.asarray(split.images[: options.images], np.float32) / 255
    compare(model, variables, images, np.asarray(split.labels[: options.images], np.int32))


def fresh() -> tuple[Any, Any]:
    model = CNN()
    return model, jax.jit(model.init)(jax.random.key(0), np.zeros((1, 28, 28, 1), np.float32))


def compare(model: Any, variables: Any, images: np.ndarray, classes: np.ndarray) -> None:
    """A line a reference: our median, theirs, the ratio, our compile time, and the largest relative difference."""
    network, (x, y) = twin(model, variables), as_torch(images, classes)
    print(f"{len(images)} images; milliseconds; difference relative to the reference's largest value, 8 images")
    print(f"{'method':30}{'library':18}{'ours':>9}{'theirs':>9}{'ratio':>7}{'compile':>9}{'difference':>12}")
    for peer in PEERS:
        given = (peer.name, model, variables, images, classes)
        run = partial(attribute, *given, key=jax.random.key(0), **peer.options)
        first, ours, theirs = alternate(run, partial(peer.timed, network, x, y))
        apart = peer.difference(network, model, variables, images[:8], classes[:8])
        name = " ".join([peer.name, *map(str, peer.options.values())])
        print(
            f"{name:30}{peer.library:18}{ours:9.1f}{theirs:9.1f}{theirs / ours:7.1f}{first - ours:9.0f}{apart:12.1e}"
            f"  {peer.note}",
            flush=True,
        )


def alternate(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float, float]:
    """Our first call and the medians of both, which take turns for some seconds, in milliseconds."""
    first, _ = timed(ours), timed(theirs)
    pairs: list[tuple[float, float]] = []
    begun = time.perf_counter()
    while len(pairs) < 3 or time.perf_counter() - begun < 2 and len(pairs) < 30:
        pairs.append((timed(ours), timed(theirs)))
    return first, median(a for a, _ in pairs), median(b for _, b in pairs)


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    np.asarray(run())
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
