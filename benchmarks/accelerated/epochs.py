"""Seconds an epoch of `--recipe fast`, and until its validation accuracy is 0.92, with and without compilation."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax

from benchmarks.accelerated.case import Case, Row, Sizes
from cnnviz import data
from cnnviz.models.cnn import CNN
from cnnviz.networks import Prepare
from cnnviz.training.feed import feed_of
from cnnviz.training.fit import fit
from cnnviz.training.members import member
from cnnviz.training.mesh import mesh_of
from cnnviz.training.recipe import RECIPES
from cnnviz.training.state import initial_state

WANTED = 0.92


def cases(sizes: Sizes) -> Iterator[Case]:
    """The recipe twice: the first training compiles, the second one does not."""
    held: dict[str, Any] = {}
    for name in ("the first time", "again"):
        yield Case(f"recipe fast, {name}", partial(trained, sizes, held))


def trained(sizes: Sizes, held: dict[str, Any]) -> Row:
    dataset = data.first_available("fashion_mnist,garments", None)[0]
    images, labels = dataset.train.images[: sizes.limit], dataset.train.labels[: sizes.limit]
    recipe = RECIPES["fast"]
    one, feed = member(0, len(images), recipe), feed_of(images, labels, mesh_of())
    state = initial_state(CNN(), recipe, images.shape[1:], jax.random.key(0))
    records = [records[0] for _, records in fit(CNN(), [state], feed, [one], recipe, Prepare()) if records]
    times = [record["seconds"] for record in records]
    reached = next((i for i, record in enumerate(records) if record["val_accuracy"] >= WANTED), None)
    return {
        "data": f"{dataset.name}, {len(images)} images",
        "seconds an epoch": min(times),
        f"seconds to {WANTED}": "not reached" if reached is None else sum(times[: reached + 1]),
        "accuracy": records[-1]["val_accuracy"],
        "first epoch": times[0],
    }
