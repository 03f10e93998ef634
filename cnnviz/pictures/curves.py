"""How loss and accuracy moved during training."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from cnnviz.figures.curves import curves
from cnnviz.pictures.picture import Picture, Skipped, View, asked_layer
from cnnviz.runs import Run
from cnnviz.training.members import best


def pictures(run: Run, view: View) -> list[Picture]:
    """Loss and accuracy by epoch, on training and validation data, with the best epoch marked."""
    asked_layer(run, view)  # an unknown layer is an error here too
    if not run.history:
        raise Skipped(f"{run.name} has no history of its training, so there are no curves to draw.")
    records = [dict(record) for record in run.history]
    epochs = np.array([record["epoch"] for record in records])
    lines = lambda measure: {
        "train": column(records, f"train_{measure}"),
        "validation": column(records, f"val_{measure}"),
    }
    panels = {measure: lines(measure) for measure in ("loss", "accuracy")}
    kept = best(run.history)
    title = f"{run.title}: loss and accuracy over {len(records)} epoch{'s' * (len(records) > 1)}"
    caption = (
        f"The dotted line marks epoch {kept['epoch']}, whose validation loss, {kept['val_loss']:.4f}, is the least; "
        f"its validation accuracy is {kept['val_accuracy']:.4f}, and its weights are those kept."
    )
    return [
        Picture(
            "curves", title, caption, records, partial(curves, panels, epochs, best=int(kept["epoch"]), title=title)
        )
    ]


def column(records: Sequence[dict[str, Any]], name: str) -> Float[np.ndarray, " epochs"]:
    """One measure of every record; not a number where a record lacks it."""
    return np.array([record.get(name, np.nan) for record in records], float)
