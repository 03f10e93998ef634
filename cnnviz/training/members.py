"""The networks of one training, alike in all but their seed, and all that follows from a seed."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe
from cnnviz.types import Key

Record = dict[str, float | int]


class Member(NamedTuple):
    """One network: the keys of its order of images and of its steps, and which rows it learns from."""

    seed: int
    order_key: Key
    step_key: Key  # of dropout, and of how images are varied
    training: Int[np.ndarray, " n"]
    validation: Int[np.ndarray, " m"]

    def order(self, epoch: int, batch: int) -> Int[np.ndarray, "steps batch"]:
        """The rows of every batch of an epoch; those that fill no batch wait for another epoch."""
        key = jax.random.fold_in(self.order_key, epoch)
        mixed = self.training[np.asarray(jax.random.permutation(key, len(self.training)))]
        steps = len(mixed) // batch
        return mixed[: steps * batch].reshape(steps, batch)


def member(seed: int, count: int, recipe: Recipe) -> Member:
    """The network of this seed, for `count` training images."""
    split_key, key = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1))
    order_key, step_key = jax.random.split(key)
    return Member(seed, order_key, step_key, *split_rows(count, recipe.validation, split_key))


def split_rows(count: int, share: float, key: Key) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """Which of `count` images are for training and which for validation; `share` of them, drawn by the key."""
    held = held_out(count, share)
    order = np.asarray(jax.random.permutation(key, count))
    return order[held:], order[:held]


def held_out(count: int, share: float) -> int:
    """How many of `count` images are for validation; a share that leaves either side empty is an InputError."""
    held = round(count * share)
    if not 0 < held < count:
        raise InputError(f"Of {count} images a share of {share} leaves none on one side of the split.")
    return held


def by_seed(history: Sequence[Record]) -> list[list[Record]]:
    """The records of each network; those of a training of one have no seed."""
    seeds = dict.fromkeys(record.get("seed") for record in history)
    return [[record for record in history if record.get("seed") == seed] for seed in seeds]


def best(history: Sequence[Record]) -> Record:
    """The record of one network with the least validation loss, the first of equals."""
    return min(history, key=lambda record: record["val_loss"])


def is_over(history: Sequence[Record], recipe: Recipe) -> bool:
    """Whether a network's epochs are all done, or the last `patience` of them did not improve on the best before."""
    stale = len(history) - 1 - history.index(best(history)) if history else 0
    return len(history) >= recipe.epochs or stale >= recipe.patience
