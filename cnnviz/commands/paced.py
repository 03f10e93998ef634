"""Progress of a training: what is reported after steps, at most a few times a second."""

import time
from collections.abc import Callable
from typing import Any

from cnnviz.training.fit import Progress

PAUSE = 0.5  # seconds between two readings of the loss, each of which waits for the device


def paced(report: Callable[..., None], epochs: int, begin: str) -> Callable[[Progress], None]:
    """`on_step` for `fit`: reports the epoch, the loss, the accuracy and images per second; `begin` before any step."""
    state: dict[str, Any] = {"read": 0.0, "since": None, "images": 0}
    report(0, 1, begin)

    def on_step(progress: Progress) -> None:
        now, taken = time.monotonic(), progress.images
        if state["since"] is None:  # the first step compiled
            state["since"] = now
            taken = 0
        state["images"] += taken
        if now - state["read"] < PAUSE:
            return
        loss, accuracy = progress.means()
        state["read"] = time.monotonic()
        speed = state["images"] / max(state["read"] - state["since"], 1e-9)
        what = f"epoch {progress.epoch}/{epochs}, loss {loss:.4f}, accuracy {accuracy:.4f}"
        done = (progress.epoch - 1) * progress.steps + progress.done
        report(done, epochs * progress.steps, f"{what}, {speed:,.0f} images/s" if state["images"] else what)

    return on_step
