"""How right a network is on a data set, with accuracy, F1 and every prediction; or how true maps are, by metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from cnnviz.batching import Report
from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.style import shortened
from cnnviz.networks import Net
from cnnviz.networks.measures import ByClass, interval, mean, top_right
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.evidence import Asked
from cnnviz.pictures.evidence_page import evidence_pictures
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, split_of
from cnnviz.pictures.predictions import class_names, confusion_picture, predict
from cnnviz.pictures.table_slides import tabular
from cnnviz.pictures.tables import dashed

SPLITS = ("train", "test", "all")
TOP, MOST_ROWS, LONGEST = 5, 50, 40
HEADER = ("class", "images", "accuracy", "95% interval", "precision", "F1")
NUMERIC = 1, 2, 3, 4, 5  # columns


@dataclass(frozen=True)
class Evaluate(Kind):
    """How right the network is on the images of a data set: evaluate RUN --dataset OTHER."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {"methods", "target"}

    split: str = "test"
    """The split whose images are evaluated: train or test; all evaluates every image."""
    methods: str | None = None
    """Evaluate attribution methods instead: names with commas between, options after a colon (smooth_grad:samples=20),
    or all."""
    metrics: str | None = None
    """By which metrics, as methods are given; by default insertion,deletion,road,mprt."""
    images: str | None = None
    """With methods or metrics: the images by number (0:500; 3,5,9), by default the first hundred."""
    target: str | None = None
    """With methods or metrics: what is explained: predicted, label, or a class by name or number."""
    seed: int = 0
    """The key of methods and metrics that draw at random."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        if self.methods is not None or self.metrics is not None:
            asked = Asked(self.methods, self.metrics, self.images, self.split, self.target, self.seed)
            return [picture for net in networks for picture in evidence_pictures(asked, net, data, report)]
        for name in ("images", "target"):
            if (value := getattr(self, name)) is not None:
                raise InputError(f"--{name} {value} is for maps; add --methods or --metrics, or leave it out.")
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """The table of classes, whose numbers are the predictions of every image, and the confusion matrix.

        Raises Skipped if there is no data set or the network has one output.
        """
        dataset = data.of(net)
        if net.class_count < 2:
            raise Skipped(f"{net.name} has one output, so there are no classes to be right about.")
        part = _every(dataset) if self.split == "all" else split_of(dataset, self.split)
        p = predict(net, part.images[: affordable(net, len(part.images))], report)
        labels, matched = _labels(net, dataset, part)
        found = Evaluation(net, dataset, self.split, Split(part.images, labels), p, matched)
        return [found.table_picture(), found.matrix()]


def _every(dataset: Dataset) -> Split:
    """The images of all splits: those for training, for validation where there are some, and for testing."""
    parts = [part for part in (dataset.train, dataset.validation, dataset.test) if part is not None]
    return Split(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def _labels(net: Net, dataset: Dataset, part: Split) -> tuple[Int[np.ndarray, " n"], str]:
    """The labels as the network numbers its classes, and a sentence if its names are not those of the data set."""
    ours, theirs = list(net.classes), list(dataset.classes)
    if not ours or ours == theirs:
        return part.labels, ""
    if len(set(ours)) == len(ours) and set(theirs) <= set(ours):
        places = np.array([ours.index(name) for name in theirs], np.int32)
        return places[part.labels], " Classes are matched by their names."
    return part.labels, f" {dataset.title} has other names of classes; they are matched by their numbers."


@dataclass(frozen=True)
class Evaluation:
    """The predictions `p [n k]` for the first n images of a split, whose labels are the network's numbers."""

    net: Net
    dataset: Dataset
    split: str
    part: Split
    p: Float[np.ndarray, "n k"]
    matched: str

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """The labels of the images that have a prediction."""
        return self.part.labels[: len(self.p)]

    @cached_property
    def said(self) -> Int[np.ndarray, " n"]:
        """The predicted classes; -1 where outputs are NaN or infinite."""
        return np.where(np.isfinite(self.p).all(axis=1), self.p.argmax(axis=1), -1)

    @cached_property
    def by_class(self) -> ByClass:
        """What is counted of each class."""
        return ByClass.of(self.labels, self.said, self.p.shape[1])

    @cached_property
    def names(self) -> list[str]:
        """The names of the classes."""
        return class_names(self.net, self.dataset, self.p.shape[1])

    @cached_property
    def measures(self) -> dict[str, Any]:
        """The accuracy with its interval, that of the five likeliest classes if there are more, and the macro F1."""
        right, count = int(self.by_class.right.sum()), len(self.labels)
        low, high = interval(right, count)
        found = {"images": count, "right": right, "accuracy": right / count, "low": low, "high": high}
        if self.p.shape[1] > TOP:
            found[f"top_{TOP}_accuracy"] = top_right(self.p, self.labels, TOP) / count
        return found | {"macro_f1": self.by_class.macro_f1}

    def table_picture(self) -> Picture:
        """The classes as a table with a last row for all; its numbers have one record per image."""
        rows = self.rows()
        drawn = [*rows[:-1][:MOST_ROWS], rows[-1]]
        which = "all" if self.split == "all" else f"the {self.split}"
        title = f"{self.net.name} on {which} images of {self.dataset.title}: {self.sentence()}"
        means = "for all, precision and F1 are means over classes (macro). Intervals are Wilson's."
        caption = f"{self.more()}{self.matched} A class's accuracy is its recall; {means}"
        if len(drawn) < len(rows):
            caption += f" Drawn are the {MOST_ROWS} classes of {len(rows) - 1:,} with the least accuracy."
        words = [tuple(dashed(row[name]) for name in HEADER) for row in drawn]
        about = "evaluation", title, caption.strip(), self.records(), self.subject
        return tabular(*about, HEADER, words, numeric=NUMERIC, table=drawn)

    def matrix(self) -> Picture:
        """The confusion matrix; its numbers have the measures too."""
        shown = confusion_picture(self.net, replace(self.dataset, test=self.part), self.p, self.split)
        numbers = {**shown.numbers, **self.measures} if isinstance(shown.numbers, Mapping) else shown.numbers
        return replace(shown, name="evaluation_confusion", numbers=numbers, subject=self.subject)

    @property
    def subject(self) -> dict[str, Any]:
        """What both pictures show."""
        return {"network": self.net.name, "dataset": self.dataset.name, "split": self.split}

    def sentence(self) -> str:
        """The accuracy with its interval."""
        found = self.measures
        return f"accuracy {found['accuracy']:.4f}, 95% interval {found['low']:.4f} to {found['high']:.4f}"

    def more(self) -> str:
        """The sentences on all images."""
        found, count = self.measures, len(self.labels)
        are = "is" if found["right"] == 1 else "are"
        words = [f"{found['right']:,} of {counted(count, 'image')} {are} right."]
        if f"top_{TOP}_accuracy" in found:
            words.append(f"Top-{TOP} accuracy: {found[f'top_{TOP}_accuracy']:.4f}.")
        if unknown := int((self.said < 0).sum()):
            words.append(f"The outputs for {unknown:,} are NaN or infinite, and count as wrong.")
        if count < (every := len(self.part.labels)):
            words.append(f"Only the first {count:,} of {every:,} were shown to this large network.")
        return " ".join(words)

    def rows(self) -> list[dict[str, object]]:
        """One record per class, where there are too many to draw from the least accuracy up, and one for all."""
        by_class, k = self.by_class, self.p.shape[1]
        order = range(k) if k <= MOST_ROWS else np.argsort(np.nan_to_num(by_class.recall, nan=2.0), kind="stable")
        rows = [
            _row(
                shortened(self.names[i], LONGEST),
                int(by_class.images[i]),
                int(by_class.right[i]),
                float(by_class.precision[i]),
                float(by_class.f1[i]),
            )
            for i in order
        ]
        found = self.measures
        return [*rows, _row("all", found["images"], found["right"], mean(by_class.precision), found["macro_f1"])]

    def records(self) -> list[dict[str, object]]:
        """What is predicted of every image, with its probability."""
        named = lambda i: self.names[i] if i >= 0 else ""
        best = np.where(self.said < 0, np.nan, self.p[np.arange(len(self.p)), self.said])
        rows = zip(self.labels.tolist(), self.said.tolist(), best.tolist(), strict=True)
        return [
            {"image": i, "true": named(true), "predicted": named(said), "probability": share, "right": true == said}
            for i, (true, said, share) in enumerate(rows)
        ]


def _row(name: str, images: int, right: int, precision: float, f1: float) -> dict[str, object]:
    low, high = interval(right, images)
    accuracy = right / images if images else float("nan")
    values = (name, images, accuracy, f"{low:.4f} to {high:.4f}", precision, f1)
    return dict(zip(HEADER, values, strict=True))
