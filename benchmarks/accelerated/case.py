"""A measurement by name, what networks and images it is of, how much of it is done, and times of the device itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet

Row = dict[str, Any]
NETWORKS: dict[str, tuple[Any, tuple[int, int, int]]] = {"cnn": (CNN(), (28, 28, 1)), "resnet": (ResNet(), (32, 32, 3))}


class Averaging(nn.Module):
    """From a convolution through the mean over places to one dense layer, as CAM needs it."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.relu(nn.Conv(32, (3, 3))(x)).mean((1, 2)))


class Attending(nn.Module):
    """One layer of attention between patches."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(32, (4, 4), strides=4)(x).reshape(len(x), -1, 32)
        return nn.Dense(10)((x + nn.MultiHeadDotProductAttention(num_heads=4)(x, x)).mean(1))


def network_for(method: str) -> nn.Module:
    """The network that this method's maps are of, of images 28x28x1: the default one unless it cannot explain that."""
    if method.startswith("attention"):
        return Attending()
    return Averaging() if method == "cam" else NETWORKS["cnn"][0]


class Case(NamedTuple):
    """One measurement: `run()` gives its numbers by name."""

    name: str
    run: Callable[[], Row]


@dataclass(frozen=True)
class Sizes:
    """How much is measured: on an accelerator, or on a CPU, where it only shows that all of it runs."""

    batches: tuple[int, ...] = (32, 256, 4096)
    images: int = 16384  # of a training, drawn at random
    steps: int = 128  # of a training at most, of each call that is timed
    seeds: tuple[int, ...] = (1, 8, 32)
    rows: tuple[int, ...] = (256, 4096)  # images that are explained at once
    data: int = 60_000  # images of one pass
    side: int = 8192  # of the matrices whose product is the peak
    copied: int = 2**28  # floats of the copy that is the peak
    seconds: float = 0.3  # that are measured of each at least
    limit: int | None = None  # images of the data set that epochs are timed on

    peers: bool = False
    out: Path = Path(".")


SMALL = Sizes((32,), 512, 4, (1, 2), (8,), 512, 256, 2**16, 0.02, 600)


def timed(run: Callable[[], Any], sizes: Sizes, wait: Callable[[Any], Any] = jax.block_until_ready) -> Row:
    """The median of the seconds that a call takes, its range over the median, and what the first took beyond it."""
    first, times = seconds(run, wait), [seconds(run, wait)]
    while len(times) < 3 or (sum(times) < sizes.seconds and len(times) < 1000):
        times.append(seconds(run, wait))
    usual = median(times)
    spread = (float(np.quantile(times, 0.75)) - float(np.quantile(times, 0.25))) / usual
    return {"seconds": usual, "spread": spread, "calls": len(times), "compile": max(0.0, first - usual)}


def seconds(run: Callable[[], Any], wait: Callable[[Any], Any] = jax.block_until_ready) -> float:
    start = time.perf_counter()
    wait(run())
    return time.perf_counter() - start


def pixels(count: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random uint8 images and labels: what they show does not matter to the time."""
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (count, *shape), np.uint8), draw.integers(0, 10, count, np.int32)


def rows(sizes: Sizes, batch: int) -> int:
    """How many images one timed pass of a training goes through: complete batches, at least one."""
    return max(1, min(sizes.steps, sizes.images // batch)) * batch
