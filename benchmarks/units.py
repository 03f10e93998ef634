"""All statistics of all layers of the default network over a data set, in one pass: time and memory.

python benchmarks/units.py [--run RUN] [--images 60000] [--few 6000]

Prints in Markdown the seconds of the forward pass alone, of Flax's `capture_intermediates`, which returns the values of
all modules, of `units.statistics` (moments, extremes, zeros, quantiles, class means, top 9 images), and of the same by
PyTorch hooks and NumPy; then the peak memory of a process for few images
and for all. Every measurement is a process of its own, taken in turns.
"""

# pyright: reportMissingImports=false

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

ROWS, AT_ONCE, K, Q, ROUNDS = 500, 64, 9, (0.01, 0.5, 0.99), 3


def forward(net: Any, images: Any, labels: Any) -> None:
    """The logits of all images."""
    from cnnviz import probe

    probe.logits(net.model, net.variables, images, prepare=net.prepare).block_until_ready()


def captured(net: Any, images: Any, labels: Any) -> None:
    """The values of all modules by Flax itself, 64 images at a time, and nothing computed of them."""
    import jax

    for first in range(0, len(images) - AT_ONCE + 1, AT_ONCE):
        jax.block_until_ready(capture(net.model, net.prepare)(net.variables, images[first : first + AT_ONCE]))


@cache
def capture(model: Any, prepare: Any) -> Callable[..., Any]:
    """The compiled function that returns them."""
    import jax

    return jax.jit(lambda variables, x: model.apply(variables, prepare(x), capture_intermediates=True)[1])


def ours(net: Any, images: Any, labels: Any, report: Any = None) -> None:
    """All statistics of all layers."""
    from cnnviz import units

    named = {"labels": labels, "k": K, "prepare": net.prepare, "report": report}
    for stats in units.statistics(net.model, net.variables, images, **named).values():
        stats.quantile(Q)


def compile_first(what: str, net: Any, images: Any, labels: Any) -> None:
    """Compiles what is measured; that of statistics depends on the number of images."""

    def stop(done: int, total: int) -> None:
        if done > 1:
            raise StopIteration

    MEASURED[what](net, images[:1000], labels[:1000])
    if what == "statistics":
        with suppress(StopIteration):
            ours(net, images, labels, stop)


def hooks(net: Any, images: Any, labels: Any) -> None:
    """The same by hooks, with NumPy on each batch; of quantiles the counts in bins that would tell them."""
    import numpy as np
    import torch
    from twin import twin

    model, state = twin(net.model, net.variables), {}

    def hook(name: str) -> Callable[..., None]:
        return lambda module, given, output: add(state, name, output.numpy(), first, labels)

    for name, module in model.named_children():
        module.register_forward_hook(hook(name))
    with torch.no_grad():
        for first in range(0, len(images), ROWS):
            pixels = images[first : first + ROWS].transpose(0, 3, 1, 2).astype(np.float32) / 255
            model(torch.from_numpy(pixels))


def add(state: dict, name: str, x: Any, first: int, labels: Any) -> None:
    """One batch of a layer, `[n c ...]`, in the sums of the layer."""
    import numpy as np

    n, c = x.shape[:2]
    x = x.reshape(n, c, -1)
    own, highest, means = labels[first : first + n], x.max(2), x.mean(2)
    edges = np.linspace(-20, 20, 1001, dtype=np.float32)
    bins = np.clip(((x + 20) * 25).astype(np.int64), 0, len(edges) - 1) + 1001 * np.arange(c)[None, :, None]
    found = {
        "sum": x.sum((0, 2), dtype=np.float64),
        "squares": np.square(x).sum((0, 2), dtype=np.float64),
        "zero": (x == 0).sum((0, 2)),
        "positive": (x > 0).sum((0, 2)),
        "classes": np.stack([means[own == k].sum(0) for k in range(10)]),
        "counts": np.bincount(bins.ravel(), minlength=1001 * c),
    }
    before = state.get(name, {})
    state[name] = {key: value + before.get(key, 0) for key, value in found.items()}
    state[name]["low"] = np.minimum(x.min((0, 2)), before.get("low", np.inf))
    state[name]["high"] = np.maximum(highest.max(0), before.get("high", -np.inf))
    values = np.concatenate([before.get("top", highest[:0]), highest])
    numbers = np.concatenate(
        [before.get("images", np.zeros((0, c), int)), np.repeat(first + np.arange(n)[:, None], c, 1)]
    )
    order = np.argsort(-values, axis=0, kind="stable")[:K]
    state[name]["top"], state[name]["images"] = (np.take_along_axis(each, order, 0) for each in (values, numbers))


MEASURED = {"forward": forward, "captured": captured, "statistics": ours, "hooks": hooks}


def measure(what: str, run: str, count: int) -> None:
    """Prints the seconds of one measurement, what is compiled aside, and the peak memory of the process in MB."""
    import numpy as np

    from cnnviz import data, networks

    net, dataset = networks.open(run), data.load("fashion_mnist")
    images = np.resize(dataset.train.images, (count, *dataset.train.images.shape[1:]))
    labels = np.resize(np.asarray(dataset.train.labels), count)
    compile_first(what, net, images, labels)
    start = time.perf_counter()
    MEASURED[what](net, images, labels)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds, peak]))


def measured(what: str, run: str, count: int) -> tuple[float, float]:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--run", run, "--one", what, "--images", str(count)]
    return tuple(
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", default="runs/best")
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--few", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--one", choices=MEASURED, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return measure(given.one, given.run, given.images)
    rounds = [{what: measured(what, given.run, given.images) for what in MEASURED} for _ in range(given.rounds)]
    seconds = {what: median(each[what][0] for each in rounds) for what in MEASURED}
    print(f"| {given.images:,} images | seconds | of the forward pass |\n|---|---|---|")
    for what, own in seconds.items():
        print(f"| {what} | {own:.1f} | {own / seconds['forward']:.2f} |")
    few, peak = measured("statistics", given.run, given.few)[1], median(each["statistics"][1] for each in rounds)
    print(f"\npeak memory of statistics: {few:.0f} MB for {given.few:,} images, {peak:.0f} MB for {given.images:,}")


if __name__ == "__main__":
    main()
