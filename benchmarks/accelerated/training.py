"""Images per second of training: networks, batches, precisions, steps at once and in turn; several seeds at once."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from benchmarks.accelerated.case import NETWORKS, Case, Row, Sizes, pixels, rows, timed
from benchmarks.accelerated.torch_training import torch_training
from cnnviz.networks import Prepare
from cnnviz.training.advance import at_once, in_turn
from cnnviz.training.feed import feed_of
from cnnviz.training.members import member
from cnnviz.training.mesh import mesh_of, replicated
from cnnviz.training.recipe import PRECISIONS, Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

WAYS = {"at once": at_once, "in turn": in_turn}


def cases(sizes: Sizes) -> Iterator[Case]:
    """Each precision, network and batch size; with peers PyTorch on the same device, as it is and compiled."""
    every = {f"{n}, batch {b}, {p}": (n, b, p) for p, n, b in product(PRECISIONS, NETWORKS, sizes.batches)}
    for name, settings in every.items():
        for way in WAYS:
            yield Case(f"{name}, {way}", partial(training, *settings, way, 1, sizes))
        if sizes.peers:
            yield Case(f"{name}, PyTorch eager", partial(torch_training, *settings, False, sizes))
    for name, settings in every.items() if sizes.peers else ():  # the last, since its compilation takes so long
        yield Case(f"{name}, PyTorch compiled", partial(torch_training, *settings, True, sizes))


def seeds(sizes: Sizes) -> Iterator[Case]:
    """Networks that differ in their seed, trained at once: images per second of all of them together."""
    for count in sizes.seeds:
        asked = partial(training, "cnn", 32, "float32", "at once", count, sizes)
        yield Case(f"{count} seed{'s' * (count > 1)}, batch 32", asked)


def training(network: str, batch: int, precision: str, way: str, count: int, sizes: Sizes) -> Row:
    """The steps of one pass over random images, of `count` networks."""
    model, shape = NETWORKS[network]
    images = rows(sizes, batch)
    recipe = Recipe(batch_size=batch, precision=precision)
    members = [member(seed, images, recipe) for seed in range(count)]
    feed = feed_of(*pixels(images, shape), mesh_of())
    step = make_step(model, recipe, Prepare(), steps=1, divided=feed.mesh.size > 1)
    advance = WAYS[way](step, members, feed)
    held = [[replicated(initial_state(model, recipe, shape, one.step_key), feed.mesh) for one in members]]
    order = np.random.default_rng(1).permutation(images)[: images // batch * batch].reshape(-1, batch)
    calls = [order] if way == "at once" else list(order[:, None])

    def run() -> Any:
        refused = None
        for at in calls:
            held[0], refused = advance(held[0], dict.fromkeys(range(count), at))
        return refused

    found = timed(run, sizes)
    return {"images/s": count * order.size / found.pop("seconds"), **found}
