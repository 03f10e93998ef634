"""Attribution against Captum and pytorch-grad-cam on PyTorch: the same network, the same images, in one run.

    python benchmarks/attribution.py [--model FILE.h5] [--images 64] [--memory]

Needs torch, captum and grad-cam, which cnnviz does not install. Times are medians of runs that take turns, after a
first call of each; compile time is our first call less the median. `--memory` measures instead how much memory 10,000
images with 50 samples take.
"""

import argparse
import resource
import sys
import time
import warnings
from collections.abc import Callable
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
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    model, variables = load_keras(options.model) if options.model else fresh()
    split = data.first_available("fashion_mnist,garments", None)[0].test
    if options.memory:
        return memory(model, variables, split.images)
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
        run = lambda given=given, options=peer.options: attribute(*given, key=jax.random.key(0), **options)
        times = alternate({"ours": lambda: np.asarray(run()), "theirs": lambda p=peer: p.timed(network, x, y)})
        first, ours, theirs = times["first"], times["ours"], times["theirs"]
        apart = peer.difference(network, model, variables, images[:8], classes[:8])
        name = " ".join([peer.name, *map(str, peer.options.values())])
        print(
            f"{name:30}{peer.library:18}{ours:9.1f}{theirs:9.1f}{theirs / ours:7.1f}{first - ours:9.0f}{apart:12.1e}"
            f"  {peer.note}",
            flush=True,
        )


def alternate(runs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median milliseconds of runs that take turns, and the first call of ours."""
    start = time.perf_counter()
    runs["ours"]()
    first = time.perf_counter() - start
    runs["theirs"]()
    found: dict[str, list[float]] = {name: [] for name in runs}
    begun = time.perf_counter()
    while len(found["ours"]) < 3 or time.perf_counter() - begun < 2 and len(found["ours"]) < 30:
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - start)
    return {"first": first * 1e3} | {name: median(times) * 1e3 for name, times in found.items()}


def memory(model: Any, variables: Any, images: np.ndarray) -> None:
    """How far the peak of memory rises over 10,000 images, for a method of each shape."""
    many = np.asarray(np.resize(images, (10_000, *images.shape[1:])), np.float32) / 255
    for method, options in {
        "gradient": {},
        "integrated_gradients": {},
        "smooth_grad": {},
        "guided_ig": {"steps": 50},
    }.items():
        few = lambda images, m=method, o=options: np.asarray(
            attribute(m, model, variables, images, 3, key=jax.random.key(0), **o)
        )
        few(many[:300])
        before, start = peak(), time.perf_counter()
        few(many)
        print(
            f"{method:24}{peak() - before:7.0f} MB more for 10,000 images, {time.perf_counter() - start:6.0f} s",
            flush=True,
        )


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
