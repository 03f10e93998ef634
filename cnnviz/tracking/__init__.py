"""TRACKERS: tools that people already follow trainings in, each told of every epoch; metrics.jsonl stays the source.

A tracker is a context manager `tracker(folder, config)` over a `Track`. What is in `folder` of an earlier part of the
same run is gone on with. It sees arrays, and knows neither JAX nor Flax.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cnnviz.errors import InputError
from cnnviz.registry import resolve

Scalars = Mapping[str, float | int]
Pictures = Mapping[str, UInt8[np.ndarray, "h w 3"]]
Weights = Mapping[str, Float[np.ndarray, "..."]]
Track = Callable[[int, Scalars, Pictures, Weights], None]  # (step, ...) -> what was given is on disk
Tracker = Callable[[Path, Mapping[str, Any]], AbstractContextManager[Track]]

TRACKERS = {
    "tensorboard": "cnnviz.tracking.tensorboard:tracker",
    "wandb": "cnnviz.tracking.weights_and_biases:tracker",
}
BINS = 64  # of a histogram of weights


def load(names: Iterable[str]) -> dict[str, Tracker]:
    """The trackers of these names; an unknown one, or one whose package is missing, is an InputError."""
    return {name: _load(name) for name in names}


def _load(name: str) -> Tracker:
    try:
        return resolve(TRACKERS, name, "tracker")
    except ImportError as error:
        what = f"The tracker {name} cannot be used ({error})"
        raise InputError(f'{what}; install it by: pip install "cnnviz[{name}]".') from error


def scalars(record: Scalars) -> dict[str, float | int]:
    """What a record measured, by name; with a seed in it, the names end in that."""
    return {name + suffix(record): value for name, value in record.items() if name not in ("step", "seed")}


def suffix(record: Scalars) -> str:
    """What tells the records of one of several seeds apart."""
    return f"/seed_{record['seed']}" if "seed" in record else ""
