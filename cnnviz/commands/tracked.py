"""Logs every epoch to trackers: its record, the weights after it, and its kernels as pictures."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz import kernels
from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.runs import inside
from cnnviz.training import tracking
from cnnviz.training.members import Record
from cnnviz.types import Variables

Log = Callable[[Sequence[Record], Mapping[Any, Variables]], None]
Shown = Callable[[Record], tuple[tracking.Pictures, tracking.Weights]]


@contextmanager
def tracked(names: Sequence[str], path: Path, config: Mapping[str, Any]) -> Iterator[Log]:
    """Yields `log(history, variables)`, which sends these trackers the records that they have not yet received.

    `variables` are those after the last epoch, by the seed in its records (None if there is only one network), or
    empty. Raises InputError if a tracker cannot start; one that fails later is dropped, and training continues.
    """
    shape, found = tuple(config["data"]["image_shape"]), tracking.load(names)
    with ExitStack() as stack:
        begun = lambda name: _begun(name, found[name], path / name, config)
        trackers = {name: stack.enter_context(begun(name)) for name in found}

        def log(history: Sequence[Record], variables: Mapping[Any, Variables]) -> None:
            latest = {record.get("seed"): record for record in history if record["epoch"] == history[-1]["epoch"]}
            drawn = cache(lambda seed: _shown(variables[seed], shape, latest[seed]))
            shown = lambda record: drawn(record.get("seed")) if variables and record in latest.values() else ({}, {})
            for name, log_to_tracker in list(trackers.items()):
                try:
                    log_to_tracker(history, shown)
                except Exception as error:  # no error of a tracker may end the training
                    _note(name, error)
                    del trackers[name]

        yield log


@contextmanager
def _begun(name: str, tracker: tracking.Tracker, folder: Path, config: Mapping[str, Any]) -> Iterator[Callable]:
    """Yields `log(history, shown)` of one tracker; the number of records it has received is kept in its folder."""
    context, file = tracker(folder, config), folder / "told"
    inside.check(folder)
    try:
        track = context.__enter__()
        received = int(file.read_text()) if inside.is_file(file) else 0
    except Exception as error:
        raise InputError(f"The tracker {name} cannot start in {folder}: {error}.") from error

    def log(history: Sequence[Record], shown: Shown) -> None:
        nonlocal received
        for record in history[received:]:
            track(int(record["step"]), tracking.scalars(record), *shown(record))
        received = max(received, len(history))
        with atomic_write(file) as temporary:
            temporary.write_text(f"{received}\n")

    try:
        yield log
    finally:
        try:
            context.__exit__(*sys.exc_info())
        except Exception as error:
            _note(name, error)


def _note(name: str, error: Exception) -> None:
    what = " ".join(f"{type(error).__name__}: {error}".split())
    print(f"note: the tracker {name} failed ({what}); training goes on without it", file=sys.stderr)


def _shown(
    variables: Variables, image_shape: tuple[int, ...], record: Record
) -> tuple[tracking.Pictures, tracking.Weights]:
    """The kernels of every layer that can be drawn, and all weights; the names end in the record's seed, if any."""
    from cnnviz.figures.pixels import pixels
    from cnnviz.pictures.kernels import layer_figure
    from cnnviz.pictures.picture import Skipped

    weights = {name: np.asarray(w, np.float32) for name, w in kernels.weights(variables).items()}
    suffix, drawn = tracking.suffix(record), {}
    for name, w in weights.items():
        try:
            figure = layer_figure(name, w, image_shape, f"{name}{suffix}, epoch {record['epoch']}")
        except Skipped:
            continue
        drawn[name + suffix] = pixels(figure)
    return drawn, {name + suffix: w for name, w in weights.items()}
