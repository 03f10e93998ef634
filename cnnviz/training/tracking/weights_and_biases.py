"""Weights & Biases: logged to the run's directory, and uploaded only with WANDB_MODE=online or by `wandb sync`."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import wandb  # pyright: ignore[reportMissingImports]

from cnnviz.atomic import atomic_write
from cnnviz.training.tracking import BINS, Pictures, Scalars, Track, Weights


@contextmanager
def tracker(folder: Path, config: Mapping[str, Any]) -> Iterator[Track]:
    """Logs to the Weights & Biases run with the id in `folder`, so that a resumed training continues it.

    Charts use the training's step as their x-axis. The `step` of Weights & Biases must not decrease, but the training's
    does so from one seed to the next.
    """
    folder.mkdir(exist_ok=True)
    about = {"project": "cnnviz", "name": folder.parent.name, "config": dict(config)}
    where = {"dir": folder.parent, "id": _id(folder / "id"), "resume": "allow"}
    mode: Any = os.environ.get("WANDB_MODE", "offline")
    with wandb.init(**about, **where, mode=mode, settings=wandb.Settings(silent=True, console="off")) as run:
        run.define_metric("*", step_metric="step")

        def track(step: int, scalars: Scalars, pictures: Pictures, weights: Weights) -> None:
            images = {f"kernels/{name}": wandb.Image(image) for name, image in pictures.items()}
            counted = {name: np.histogram(values, BINS) for name, values in weights.items()}
            counts = {f"weights/{name}": wandb.Histogram(np_histogram=found) for name, found in counted.items()}
            run.log({"step": step, **scalars, **images, **counts})

        yield track


def _id(file: Path) -> str:
    """The run's id, drawn at its first start; a link, which may lead out of the run, is replaced."""
    if file.is_symlink() or not file.is_file():
        with atomic_write(file) as temporary:
            temporary.write_text(secrets.token_hex(4))
    return file.read_text()
