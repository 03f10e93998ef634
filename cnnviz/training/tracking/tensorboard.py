"""TensorBoard's event files, written by tensorboardX: `tensorboard --logdir runs` shows them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from cnnviz.training.tracking import BINS, Pictures, Scalars, Track, Weights


@contextmanager
def tracker(folder: Path, config: Mapping[str, Any]) -> Iterator[Track]:
    """Writes events to a new file in `folder`, next to those of earlier parts of the run.

    `SummaryWriter` writes in a thread and waits for it forever once the disk is full; here each call writes its events
    itself.
    """
    folder.mkdir(exist_ok=True)
    with closing(EventsWriter(str(folder / "events"), f".{len(list(folder.iterdir()))}")) as events:

        def track(step: int, scalars: Scalars, pictures: Pictures, weights: Weights) -> None:
            made = [summary.scalar(name, value) for name, value in scalars.items()]
            made += [summary.image(f"kernels/{name}", image, dataformats="HWC") for name, image in pictures.items()]
            made += [summary.histogram(f"weights/{name}", values, BINS) for name, values in weights.items()]
            for value in made:
                events.write_event(Event(wall_time=time.time(), step=step, summary=value))
            events.flush()

        yield track
