"""Telling trackers of every epoch: its record, the weights after it, and its kernels as pictures."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz import kernels, tracking
from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.training.members import Record
from cnnviz.types import Variables

Tell = Callable[[Sequence[Record], Mapping[Any, Variables]], None]
Shown = Callable[[Record], tuple[tracking.Pictures, tracking.Weights]]


@contextmanager
def tracked(names: Sequence[str], path: Path, config: Mapping[str, Any]) -> Iterator[Tell]:
    """`tell(history, variables)` tells these trackers of the run's records that they have not been told of.

    `variables` are those after the last epoch, by the seed in its records (None of one network), or empty. A tracker
    that cannot begin is an InputError; one that fails later is told no more, and training goes on.
    """
    shape, found = tuple(config["data"]["image_shape"]), tracking.load(names)
    with ExitStack() as stack:
        begun = lambda name: _begun(name, found[name], path / name, config)
        trackers = {name: stack.enter_context(begun(name)) for name in found}

        def tell(history: Sequence[Record], variables: Mapping[Any, Variables]) -> None:
            latest = {record.get("seed"): record for record in history if record["epoch"] == history[-1]["epoch"]}
            drawn = cache(lambda seed: _shown(variables[seed], shape, latest[seed]))
            shown = lambda record: drawn(record.get("seed")) if variables and record in latest.values() else ({}, {})
            for name, tell_one in list(trackers.items()):
                try:
                    tell_one(history, shown)
                except Exception as error:  # whatever it is, the training is worth more
                    _note(name, error)
                    del trackers[name]

        yield tell


@contextmanager
def _begun(name: str, tracker: tracking.Tracker, folder: Path, config: Mapping[str, Any]) -> Iterator[Callable]:
    """`tell(history, shown)` of one tracker; how many records it has been told of is kept in its folder."""
    context, file = tracker(folder, config), folder / "told"
    try:
        track = context.__enter__()
        told = int(file.read_text()) if file.exists() else 0
    except Exception as error:
        raise InputError(f"The tracker {name} cannot begin in {folder}: {error}.") from error

    def tell(history: Sequence[Record], shown: Shown) -> None:
        nonlocal told
        for record in history[told:]:
            track(int(record["step"]), tracking.scalars(record), *shown(record))
        told = max(told, len(history))
        with atomic_write(file) as temporary:
            temporary.write_text(f"{told}\n")

    try:
        yield tell
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
    """A picture of every layer whose kernels are one, and all weights, under the names that the record asks for."""
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
