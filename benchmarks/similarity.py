"""Similarity of layers: two layers of 10,000 images against torch_cka, and all layers of two networks.

python benchmarks/similarity.py layers [--folder FOLDER] [--images 10000] [--features 3136] [--minibatch 256]
python benchmarks/similarity.py networks RUN RUN [--images 10000]

`layers` runs each computation in a process of its own, for its peak memory. FOLDER has the package torch_cka
(`pip install --no-deps --target FOLDER torch_cka`), whose minibatch HSIC is given the same arrays; without it, or
without PyTorch, only ours are measured. `networks` takes all measures of all layers.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np


def arrays(images: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Two layers' values that have something in common."""
    draw = np.random.default_rng(0)
    common = draw.standard_normal((images, 50), np.float32)
    one, other = (common @ draw.standard_normal((50, features), np.float32) for _ in range(2))
    one += draw.standard_normal((images, features), np.float32)
    other += draw.standard_normal((images, features), np.float32)
    return one, other


def ours(x: np.ndarray, y: np.ndarray, minibatch: int | None) -> float:
    """Debiased CKA, of all images or of minibatches."""
    from cnnviz.comparison.measures import MEASURES

    return MEASURES["debiased_cka"](x, y, minibatch=minibatch)


def theirs(x: np.ndarray, y: np.ndarray, minibatch: int) -> float:
    """torch_cka's sums over minibatches, as its `compare` has them, with the arrays in place of hooked layers."""
    torch, CKA = import_module("torch"), import_module("torch_cka").CKA
    cka = CKA.__new__(CKA)
    cka.device = "cpu"
    sums = torch.zeros(3)
    for first in range(0, len(x), minibatch):
        k, l = (torch.from_numpy(each[first : first + minibatch]) for each in (x, y))
        k, l = k @ k.t(), l @ l.t()
        k.fill_diagonal_(0.0)
        l.fill_diagonal_(0.0)
        sums += torch.tensor([cka._HSIC(k, k), cka._HSIC(k, l), cka._HSIC(l, l)])
    return float(sums[1] / (sums[0].sqrt() * sums[2].sqrt()))


WAYS = {
    "cnnviz, all images": lambda x, y, size: ours(x, y, None),
    "cnnviz, minibatches": ours,
    "torch_cka, minibatches": theirs,
    "torch_cka, one minibatch": lambda x, y, size: theirs(x, y, len(x)),
}


def one(options: argparse.Namespace) -> None:
    """Prints the value, seconds, CPU seconds, and the peak memory beyond what the arrays and the libraries take."""
    x, y = arrays(options.images, options.features)
    WAYS[options.way](x[:64], y[:64], 32)  # imports
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, begun = time.perf_counter(), time.process_time()
    value = WAYS[options.way](x, y, options.minibatch)
    seconds, cpu = time.perf_counter() - start, time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    numbers = f"{value:.5f} | {seconds:.2f} | {cpu:.2f} | {peak / 1e6:.2f} | {(peak - before) / 1e6:.2f}"
    print(f"| {options.way} | {numbers} |", flush=True)


def layers(options: argparse.Namespace) -> None:
    """Each way in a process of its own, three times."""
    print(f"load {os.getloadavg()[0]:.1f}; {options.images:,} images, {options.features:,} features")
    print("| | CKA | seconds | on all cores | peak GB | of it beyond arrays and libraries |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    path = os.pathsep.join([str(options.folder), os.environ.get("PYTHONPATH", "")])
    sizes = [f"--{name}={getattr(options, name)}" for name in ("images", "features", "minibatch")]
    for way in WAYS:
        if way.startswith("torch") and not (options.folder / "torch_cka").is_dir():
            print(f"| {way} | not in {options.folder} |")
            continue
        for _ in range(options.repeats):
            command = [sys.executable, __file__, "one", *sizes, "--way", way]
            subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True)


def whole(options: argparse.Namespace) -> None:
    """All measures of all layers of two networks."""
    from cnnviz import data, networks
    from cnnviz.comparison import MEASURES, similarities

    a, b = (networks.open(run) for run in options.runs)
    images = data.load(a.data["name"]).test.images[: options.images]
    done = lambda count, total, what="": print(f"\r{count}/{total} {what:20}", end="", file=sys.stderr, flush=True)
    start, begun, load = time.perf_counter(), time.process_time(), os.getloadavg()[0]
    similarities(a, b, images, tuple(MEASURES), report=done)
    took = f"{time.perf_counter() - start:.1f} s, {time.process_time() - begun:.1f} s on all cores (load {load:.1f})"
    print(f"\nall {len(MEASURES)} measures of all layers, {len(images):,} images: {took}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("layers", "networks", "one"))
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("torch_cka"))
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=3136)
    parser.add_argument("--minibatch", type=int, default=250)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    options = parser.parse_args()
    {"layers": layers, "networks": whole, "one": one}[options.what](options)


if __name__ == "__main__":
    main()
