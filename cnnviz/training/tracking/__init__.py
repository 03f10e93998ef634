"""TRACKERS: tools for following a training, which log every epoch; metrics.jsonl remains the complete record.

A tracker is a context manager `tracker(folder, config)` that yields a `Track`. If `folder` already holds a log, of an
earlier part of the same run, the tracker continues it. It sees arrays, and knows neither JAX nor Flax.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cnnviz.errors import needs_extra
from cnnviz.registry import resolve

Scalars = Mapping[str, float | int]
Pictures = Mapping[str, UInt8[np.ndarray, "h w 3"]]
Weights = Mapping[str, Float[np.ndarray, "..."]]
Track = Callable[[int, Scalars, Pictures, Weights], None]  # (step, ...); returns when they are on disk
Tracker = Callable[[Path, Mapping[str, Any]], AbstractContextManager[Track]]

TRACKERS = {
    "tensorboard": "cnnviz.training.tracking.tensorboard:tracker",
    "wandb": "cnnviz.training.tracking.weights_and_biases:tracker",
}
BINS = 64  # per histogram of weights


def load(names: Iterable[str]) -> dict[str, Tracker]:
    """The trackers of these names; raises InputError if a name is unknown or its package is not installed."""
    return {name: _load(name) for name in names}


def _load(name: str) -> Tracker:
    with needs_extra(name, f"The tracker {name} cannot be used"):
        return resolve(TRACKERS, name, "tracker")


def scalars(record: Scalars) -> dict[str, float | int]:
    """A record's measures by name; the names end in the record's seed if it has one."""
    return {name + suffix(record): value for name, value in record.items() if name not in ("step", "seed")}


def suffix(record: Scalars) -> str:
    """The ending of a record's names: `/seed_3` if the run has several seeds, else empty."""
    return f"/seed_{record['seed']}" if "seed" in record else ""
