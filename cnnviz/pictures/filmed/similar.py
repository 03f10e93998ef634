"""How similar layers, units and classes are to what they are at the end of training, step by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnnviz.batching import Report, evenly_spaced
from cnnviz.comparison.development import LEVEL, STREAMED, layers_over_steps, settled, units_over_steps
from cnnviz.data import Dataset
from cnnviz.errors import check_known
from cnnviz.errors.ranges import check_range
from cnnviz.figures.layer_pairs import layer_pairs
from cnnviz.figures.scales import Scale, symmetric
from cnnviz.networks import Net
from cnnviz.pictures.activations import spatial_layers
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.filmed.reel import reel
from cnnviz.pictures.picture import Data, Picture, Skipped, split_of
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.steps import Steps

NEGATIVE = -0.05  # from here on a scale around zero


def similarity(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """Each layer's similarity to itself at the last step."""
    check_known("measure over steps", asked.measure, STREAMED)
    images, on = _images(asked, net, steps, data)
    found = layers_over_steps(steps.nets, images, asked.measure, report=report)
    word = {"debiased_cka": "debiased CKA", "linear_cka": "linear CKA"}[asked.measure]
    title = f"{net.name}: {word} of each layer with itself at step {steps.names[-1]}"
    return _picture(
        asked, net, steps, "similarity", title, found.layers, found.values, ("layer", word), on, _of(asked, data, net)
    )


def units(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """Each unit's correlation with itself at the last step, by default of the last layer of maps."""
    layer = spatial_layers(net)[-1] if asked.layer is None else net.layer(asked.layer)
    images, on = _images(asked, net, steps, data)
    values = units_over_steps(steps.nets, layer.name, images, report=report)
    title = f"{net.name}: each unit of {layer.name} and itself at step {steps.names[-1]}"
    names = [str(unit) for unit in range(len(values))]
    subject = {"layer": layer.name, **_of(asked, data, net)}
    return _picture(
        asked, net, steps, f"units_{layer.name}", title, names, values, ("unit", "correlation"), on, subject
    )


def classes(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """The correlation of each class's logit with itself at the last step."""
    logits = net.layers[-1]
    if len(logits.shape) != 1 or net.class_count != logits.shape[0]:
        raise Skipped(f"The last layer of {net.name}, {logits.name}, has no value per class.")
    images, on = _images(asked, net, steps, data)
    values = units_over_steps(steps.nets, logits.name, images, report=report)
    names = class_names(net, data.of(net), len(values))
    title = f"{net.name}: the logit of each class and itself at step {steps.names[-1]}"
    return _picture(
        asked, net, steps, "classes", title, names, values, ("class", "correlation"), on, _of(asked, data, net)
    )


def _picture(
    asked: Any,
    net: Net,
    steps: Steps,
    name: str,
    title: str,
    names: Sequence[str],
    values: np.ndarray,
    words: tuple[str, str],
    on: str,
    subject: dict[str, Any],
) -> Picture:
    """A row per layer, unit or class, those that were settled first on top but for layers, which keep their order."""
    what, measure = words
    first = settled(values)
    order = np.arange(len(values)) if what == "layer" else _order(values, first)
    drawn, marks, called = values[order], first[order], [names[i] for i in order.tolist()]
    scale = symmetric(1.0) if np.nanmin(values, initial=0.0) < NEGATIVE else Scale(0.0, 1.0)

    def draw(places: Sequence[int], begun: str) -> Figure:
        shown = drawn.copy()
        if begun:  # a frame: the steps until then
            shown[:, places[0] + 1 :] = np.nan
        frames = marks & np.isfinite(shown)
        head = f"{title}; step {steps.names[places[0]]}" if begun else title
        return layer_pairs(
            shown, called, steps.names, {}, scale, marked=frames, names=(what, "step"), label=measure,
            title=head,
        )  # fmt: skip

    records = _records(what, names, values, first, steps)
    caption = on + _said(what, names, values)
    table = [{what: names[i], "settled at step": _step(steps, first[i])} for i in order.tolist()]
    return reel(asked, net, steps, name, title, caption, records, draw, subject=subject, table=table, is_chart=True)


def _records(
    what: str, names: Sequence[str], values: np.ndarray, first: np.ndarray, steps: Steps
) -> list[dict[str, object]]:
    return [
        {what: label, "step": step, "similarity": float(values[i, s]), "settled": bool(first[i, s])}
        for i, label in enumerate(names)
        for s, step in enumerate(steps.steps)
    ]


def _said(what: str, names: Sequence[str], values: np.ndarray) -> str:
    text = f" Framed is the first step from which on it stays at {LEVEL:g} or above"
    text += "." if what == "layer" else f"; {_plural(what)} that reach it earlier are on top."
    if lost := [names[i] for i in np.flatnonzero(np.isnan(values[:, -1])).tolist()]:
        listed = ", ".join(lost[:10]) + (f" and {len(lost) - 10} more" if len(lost) > 10 else "")
        text += f" The same for all images at the last step, so without a number: {listed}."
    return text


def _order(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Rows by the step at which they are settled, then by their mean; those without numbers last."""
    at = np.where(first.any(axis=1), first.argmax(axis=1), values.shape[1])
    return np.lexsort((-np.nan_to_num(values, nan=-1.0).mean(axis=1), at + np.isnan(values[:, -1])))


def _step(steps: Steps, first: np.ndarray) -> object:
    return steps.steps[int(first.argmax())] if first.any() else "–"


def _plural(what: str) -> str:
    return {"unit": "units", "class": "classes"}[what]


def _of(asked: Any, data: Data, net: Net) -> dict[str, Any]:
    """What the picture shows of the data."""
    return {"dataset": data.of(net).name, "split": asked.split}


def _images(asked: Any, net: Net, steps: Steps, data: Data) -> tuple[np.ndarray, str]:
    """The images, evenly spaced in the split, and the sentence on them."""
    dataset: Dataset = data.of(net)
    check_range("among", asked.among)
    every = split_of(dataset, asked.split).images
    count = min(asked.among, affordable(net, len(every), len(steps.nets)), len(every))
    taken = evenly_spaced(len(every), count)
    return every[taken], f"On {count:,} of the {len(every):,} {asked.split} images of {dataset.title}."
