"""Images per second of passes over a data set: predictions, the sum of all layers, the statistics of all units."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import NETWORKS, Case, Row, Sizes, pixels, timed
from cnnviz import probe, units
from cnnviz.networks import Prepare

LAYERS = ["relu1", "relu2"]


def cases(sizes: Sizes) -> Iterator[Case]:
    model, shape = NETWORKS["cnn"]
    images, _ = pixels(sizes.data, shape)
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, *shape), np.float32))
    ways = {"predictions": predictions, "fold of two layers": folded, "statistics of all units": statistics}
    for name, way in ways.items():
        yield Case(f"{name}, {len(images)} images", partial(rate, way, model, variables, images, sizes))


def rate(way: Any, model: Any, variables: Any, images: np.ndarray, sizes: Sizes) -> Row:
    found = timed(lambda: way(model, variables, images), sizes)
    return {"images/s": len(images) / found.pop("seconds"), **found}


def predictions(model: Any, variables: Any, images: np.ndarray, batch_size: int | None = None) -> Any:
    return probe.logits(model, variables, images, prepare=PREPARE, batch_size=batch_size)


def folded(model: Any, variables: Any, images: np.ndarray) -> Any:
    zero = {"relu1": np.zeros(32, np.float32), "relu2": np.zeros(64, np.float32)}
    return probe.fold(model, variables, images, LAYERS, zero, add, merge, prepare=PREPARE)


def statistics(model: Any, variables: Any, images: np.ndarray) -> Any:
    found = units.statistics(model, variables, images, prepare=PREPARE)
    return [layer.mean for layer in found.values()]


def add(sums: Any, found: Any, mask: Any) -> Any:
    return {name: sums[name] + (found[name].sum((1, 2)) * mask[:, None]).sum(0) for name in sums}


def merge(one: Any, other: Any) -> Any:
    return jax.tree.map(jax.numpy.add, one, other)


PREPARE = Prepare()
