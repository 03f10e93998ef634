"""The networks of one training, which differ only in their seed, and everything derived from a seed."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.training.recipe import Recipe
from cnnviz.types import Key

Record = dict[str, float | int]


class Member(NamedTuple):
    """One network: its keys for the order of images and for its steps, and its rows for training and validation."""

    seed: int
    order_key: Key
    step_key: Key  # of dropout and augmentation
    training: Int[np.ndarray, " n"]
    validation: Int[np.ndarray, " m"]

    def order(self, epoch: int, batch: int) -> Int[np.ndarray, "steps batch"]:
        """The rows of every batch of an epoch; the last ones, too few for a batch, are left out."""
        key = jax.random.fold_in(self.order_key, epoch)
        shuffled = self.training[np.asarray(jax.random.permutation(key, len(self.training)))]
        steps = len(shuffled) // batch
        return shuffled[: steps * batch].reshape(steps, batch)


def member(seed: int, count: int, recipe: Recipe, own: int = 0) -> Member:
    """The network of this seed, for `count` images, the last `own` of which are the data set's own for validation.

    Without such, a share of the images is drawn. Raises InputError if the training or the validation split would be
    empty.
    """
    split_key, key = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1))
    order_key, step_key = jax.random.split(key)
    rows = np.arange(count)
    split = (rows[:-own], rows[-own:]) if own else split_rows(count, recipe.validation, split_key)
    return Member(seed, order_key, step_key, *split)


def split_rows(count: int, share: float, key: Key) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """The rows for training and those for validation: a random `share` of `count` images.

    Raises InputError if either would be empty.
    """
    held = held_out(count, share)
    order = np.asarray(jax.random.permutation(key, count))
    return order[held:], order[:held]


def held_out(count: int, share: float) -> int:
    """How many of `count` images are for validation; raises InputError if that leaves either split empty."""
    held = round(count * share)
    if not 0 < held < count:
        raise InputError(
            f"A validation share of {share} of {counted(count, 'image')} leaves one side of the split empty; each side "
            "needs an image or more."
        )
    return held


def by_seed(history: Sequence[Record]) -> list[list[Record]]:
    """The records of each network; they have no `seed` if there is only one network."""
    seeds = dict.fromkeys(record.get("seed") for record in history)
    return [[record for record in history if record.get("seed") == seed] for seed in seeds]


def best(history: Sequence[Record]) -> Record:
    """The record of one network with the smallest validation loss, the first one if several are equal."""
    return min(history, key=lambda record: record["val_loss"])


def is_over(history: Sequence[Record], recipe: Recipe, begun: int = 0) -> bool:
    """Whether a network has done all its epochs, or the last `patience` of them did not improve on the best.

    Of a training that went on after its end, only epochs after `begun` count for the patience.
    """
    stale = len(history) - 1 - max(history.index(best(history)), begun - 1) if history else 0
    return len(history) >= recipe.epochs or stale >= recipe.patience
