"""What in each image the network's answer rests on, by several methods side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import jax
import numpy as np

from cnnviz import __version__, probe
from cnnviz.attribution import METHODS, Attribution, attribute, build
from cnnviz.attribution.shapes import Method, image_sets
from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError, unknown
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.scales import scale_of
from cnnviz.pictures.picture import Picture, Skipped, View, asked_layer, dataset_of, split_of
from cnnviz.pictures.predictions import class_names, softmax
from cnnviz.runs import Run

WORDS = {"predicted": "the predicted class", "label": "the true class"}
USUAL = "grad_cam,integrated_gradients,smooth_grad"
MOST_COLUMNS, MOST_IMAGES, BASELINE = 8, 64, 50


@dataclass(frozen=True)
class Explained:
    """One method's maps, each array stacked over the run's members: `maps` [m n h w]."""

    method: Method
    maps: np.ndarray
    layers: Mapping[str, np.ndarray]
    gap: np.ndarray | None


def pictures(run: Run, view: View) -> list[Picture]:
    """Matrices of images and methods, at most eight methods each; on a run of several members means and deviations."""
    asked_layer(run, view)  # an unknown layer is an error here too
    dataset = dataset_of(run, view)
    split = split_of(dataset, view)
    chosen = indices(view.images, len(split.images))
    images = run.prepare(split.images[chosen])
    logits = [np.asarray(probe.logits(run.model, member, images), np.float64) for member in run.members]
    if logits[0].shape[-1] < 2:
        raise Skipped(f"{run.name} has one output, so there are no classes to explain.")
    names = class_names(run, dataset, logits[0].shape[-1])
    p = np.mean([softmax(values) for values in logits], 0)
    # one class an image for all members, so that their maps are of the same thing
    targets = p.argmax(-1) if view.target == "predicted" else target_of(view.target, names)
    left_out: dict[str, str] = {}
    explained = explain(run, view, dataset, images, targets, split.labels[chosen], left_out)
    if not explained:
        raise Skipped(" ".join(left_out.values()))
    rows = row_titles(p, split.labels[chosen], chosen, names)
    return [
        matrix(run, view, dataset, split, chosen, rows, part, left_out, len(explained) > MOST_COLUMNS)
        for part in in_parts(explained)
    ]


def explain(
    run: Run, view: View, dataset: Dataset, images: Any, targets: Any, labels: Any, left_out: dict[str, str]
) -> dict[str, Explained]:
    """Each method's maps for every member; of the usual or of all methods those that the model cannot have go out."""
    asked = USUAL if view.methods is None else ",".join(METHODS) if view.methods == "all" else view.methods
    names = [name.strip() for name in asked.split(",")]
    built = {name: built_for(name, run, view, dataset) for name in names}
    found = {}
    for name, method in built.items():
        ask = partial(attribute, method, run.model, key=jax.random.key(view.seed), details=True, report=view.report)
        try:
            every = [ask(member, images, targets, labels=labels) for member in run.members]
        except InputError as error:
            if view.methods not in (None, "all"):
                raise
            left_out[name] = str(error)
            continue
        found[name] = stacked(method, every)
    return found


def built_for(name: str, run: Run, view: View, dataset: Dataset) -> Method:
    """The method at the layer that the view names, with training images as what an image is compared with."""
    method = build(name)
    known = {field.name for field in fields(method)}
    options: dict[str, Any] = {}
    if view.layer is not None and "layers" in known:
        options["layers"] = view.layer
    for name in image_sets(method):
        options[name] = run.prepare(dataset.train.images[:BASELINE])
    return build(method, **options)


def stacked(method: Method, every: Sequence[Attribution]) -> Explained:
    maps, layers, gaps = (jax.tree.map(lambda *each: np.stack(each), *part) for part in zip(*every, strict=True))
    return Explained(method, maps, layers, gaps)


def in_parts(explained: Mapping[str, Explained]) -> list[dict[str, Explained]]:
    names = list(explained)
    size = MOST_COLUMNS
    return [{name: explained[name] for name in names[i : i + size]} for i in range(0, len(names), size)]


def matrix(
    run: Run,
    view: View,
    dataset: Dataset,
    split: Split,
    chosen: Sequence[int],
    rows: list[str],
    explained: Mapping[str, Explained],
    left_out: Mapping[str, str],
    numbered: bool,
) -> Picture:
    """One picture of at most eight methods; its numbers are the raw maps, and what they are is in `manifest`."""
    images = split.images[list(chosen)]
    what = WORDS.get(view.target, view.target)
    title = f"{run.name} on {len(chosen)} {view.split} images of {dataset.title}: what {what} rests on"
    columns = columns_of(explained)
    numbers = {"manifest": np.array(json.dumps(manifest(run, view, dataset, chosen, explained))), "images": images}
    for name, found in explained.items():
        numbers |= {name: found.maps} | {f"{name}.{layer}": values for layer, values in found.layers.items()}
        numbers |= {f"{name}.gap": found.gap} if found.gap is not None else {}
    stem = f"attribute_{next(iter(explained))}" if numbered else "attribute"
    draw = partial(attributions, images, rows, columns, title=title)
    return Picture(stem, title, caption_of(columns, explained, left_out), numbers, draw)


def columns_of(explained: Mapping[str, Explained]) -> dict[str, Column]:
    """A column a method, headed by its layers; of several members the mean and, beside it, the standard deviation."""
    columns = {}
    for name, found in explained.items():
        heading = name + (f"\nat {', '.join(found.layers)}" if found.layers else "")
        mean = found.maps.mean(0)
        notes = [] if found.gap is None else [f"gap {gap:+.2g}".replace("-", "−") for gap in found.gap.mean(0)]
        columns[heading] = Column(mean, scale_of(mean), notes)
        if len(found.maps) > 1:
            deviation = found.maps.std(0, ddof=1)
            columns[f"{name}\nsd of {len(found.maps)} seeds"] = Column(deviation, scale_of(deviation))
    return columns


def caption_of(columns: Mapping[str, Column], explained: Mapping[str, Explained], left_out: Mapping[str, str]) -> str:
    """What the colors and the gaps are, and what is not drawn."""
    beyond = sum(column.scale.outside(column.maps) for column in columns.values())
    total = sum(column.maps.size for column in columns.values())
    words = [f"Raw values, each column on its own scale; {beyond:,} of {total:,} lie beyond."]
    if any(found.gap is not None for found in explained.values()):
        words.append("A gap is what the values sum to, less what they should.")
    if any(found.layers for found in explained.values()):
        words.append("Maps of a layer are brought to the image's size bilinearly.")
    words += [f"Left out: {name}. {reason}" for name, reason in left_out.items()]
    return " ".join(words)


def manifest(
    run: Run, view: View, dataset: Dataset, chosen: Sequence[int], explained: Mapping[str, Explained]
) -> dict[str, Any]:
    """All that is needed to make the maps again."""
    plain = lambda value: (
        value if isinstance(value, str | int | float | tuple | type(None)) else f"{type(value).__name__}"
    )
    options = lambda method: {field.name: plain(getattr(method, field.name)) for field in fields(method)}
    return {
        "cnnviz": __version__,
        "run": run.name,
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint, "split": view.split},
        "images": [int(i) for i in chosen],
        "target": view.target,
        "seed": view.seed,
        "axes": "member, image, row, column",
        "methods": {name: options(found.method) | {"at": list(found.layers)} for name, found in explained.items()},
    }


def row_titles(p: np.ndarray, labels: np.ndarray, chosen: Sequence[int], names: Sequence[str]) -> list[str]:
    """What the network says of each image and how surely, and what is true."""
    said = [f"{names[row.argmax()]}, {row.max():.1%}" for row in p]
    true = [f"is {names[label]}" if label < len(names) else "" for label in labels]
    return [f"{one}\n{other}\nimage {i}" for one, other, i in zip(said, true, chosen, strict=True)]


def indices(text: str, count: int) -> list[int]:
    """The images that "0:8", "3" or "1,5,9" mean; what is no such text, or more than there are, is an InputError."""
    try:
        parts = [int(part) if part else None for part in text.split(":")] if ":" in text else None
        found = list(range(count))[slice(*parts)] if parts is not None else [int(part) for part in text.split(",")]
    except (ValueError, TypeError):
        raise InputError(f"Images are given as 0:8, as 3, or as 1,5,9; it was {text!r}.") from None
    wrong = [i for i in found if not 0 <= i < count]
    if wrong or not found:
        raise InputError(f"There are {count} images, 0 to {count - 1}; {text!r} means {wrong or 'none of them'}.")
    if len(found) > MOST_IMAGES:
        raise InputError(f"A picture has at most {MOST_IMAGES} images; {text!r} means {len(found)}.")
    return found


def target_of(text: str, names: Sequence[str]) -> Any:
    """What is explained: "predicted", "label", a class by name or number, or a pair of those with a comma."""
    if text in names:
        return names.index(text)
    if "," in text:
        return tuple(target_of(part.strip(), names) for part in text.split(","))
    if text in ("predicted", "label"):
        return text
    if text.lstrip("-").isdigit():
        return int(text)
    raise unknown("target", text, ("predicted", "label", *names))
