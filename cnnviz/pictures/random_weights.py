"""What random weights do to maps: the map of one image, again after each layer's weights were made random."""

from functools import partial
from typing import Any

import numpy as np

from cnnviz.batching import Report, part
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.scales import scales_of
from cnnviz.metrics.similarity import similarity
from cnnviz.pictures.attribution_slides import by_cells
from cnnviz.pictures.evidence import Found, Subject, order, subject_of
from cnnviz.pictures.picture import Picture

MOST_DRAWN, TRAINED = 8, "as trained"
MEASURED = {"spearman_abs": "Spearman's correlation of absolute values", "spearman": "Spearman's correlation"}


def strip_picture(subject: Subject, found: Found, label: str, report: Report | None) -> Picture:
    """One row per method, the best and the controls, and one column per layer, for the first image and member."""
    metric: Any = found.metrics[label]
    every = [found.evidence.methods[i] for i in order(found)]
    controls = [name for name in every if name in found.evidence.controls]
    names = [name for name in every if name not in controls][: MOST_DRAWN - len(controls)] + controls
    rows = [_row(subject, metric, found.built[name], part(report, i, len(names))) for i, name in enumerate(names)]
    columns = {heading: _column([row[heading] for row in rows]) for heading in rows[0]}
    pixels = np.repeat(subject.pixels[:1], len(names), 0)
    cascading = metric.mode == "cascading"
    which = "from the last layer to the first, each with those before it" if cascading else "one layer at a time"
    title = f"{subject.net.name} on {subject.asked.split} image {subject.places[0]} of {subject.dataset.title}: "
    title += f"maps as weights are made random, {which}"
    caption = (
        f"Each map on its own scale. Under it {MEASURED.get(metric.similarity, metric.similarity)} with the map as "
    )
    caption += "trained: one that stays alike does not show what was learned."
    if missing := [name for name in every if name not in names]:
        caption += f" Of the methods the best {len(names) - len(controls)} are drawn, without {', '.join(missing)}."
    numbers = {heading.replace("/", "."): column.maps for heading, column in columns.items()}
    draw = partial(attributions, pixels, names, columns, title=title)
    picture = Picture("evidence_random_weights", title, caption, numbers, draw, subject_of(subject, found))
    return by_cells(picture, pixels, names, columns)


def _row(subject: Subject, metric: Any, method: Any, report: Report | None) -> dict[str, tuple[np.ndarray, str]]:
    """The map of the first image as trained, and after each layer was made random, with how alike both are."""
    asked = subject.explainer(method, 0).with_(images=subject.images[:1], targets=subject.targets[:1])
    first, found = np.asarray(asked.maps()), {}
    found[TRAINED] = first[0], ""
    for layer, maps in metric.strip(asked, subject.key, report):
        alike = float(similarity(metric.similarity, first, np.asarray(maps))[0])
        found[layer] = np.asarray(maps)[0], f"{alike:+.2f}".replace("-", "−")
    return found


def _column(cells: list[tuple[np.ndarray, str]]) -> Column:
    maps = np.stack([values for values, _ in cells])
    return Column(maps, scales_of(maps), [note for _, note in cells])
