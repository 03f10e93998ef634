"""What a network loses as the units of a layer go: its accuracy, and which units stand in for each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import numpy as np

from cnnviz import units
from cnnviz.batching import Report, part
from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import counted
from cnnviz.figures.bands import Band, bands
from cnnviz.figures.symmetric import matrix
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, split_of
from cnnviz.pictures.unit_numbers import last_with_maps

MOST, FEW, LISTED = 10_000, 1000, 10  # images of the split, those of pairs, and rows of printed tables
MOST_PAIRED = 256  # units whose pairs are computed
FIRST, LAST, RANDOM = "important first", "important last", "random order"
HEADER = ("unit", "loss gained", "accuracy lost", "most hurt class", "its accuracy lost")


@dataclass(frozen=True)
class Ablation(Kind):
    """Accuracy as the units of a layer go, one after another: ablation RUN --layer relu2."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {"instead"}

    layer: str | None = None
    """The layer whose units go, by name, kind or number; by default the last with maps, if any has."""
    instead: str = "zero"
    """What a unit becomes: zero, or mean, its mean over the images."""
    draws: int = 5
    """How many random orders the band is of."""
    steps: int = 16
    """At how many numbers of units the curves are measured."""
    pairs: bool = False
    """Also draw which two units stand in for each other: what the network loses without both, beyond each alone."""
    split: str = "test"
    """The split whose images are shown to the network: train or test."""
    seed: int = 0
    """The key of the random orders."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The pictures of each network, of several members the first one's; raises Skipped without a data set."""
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """The curves and, if they are asked for, the pairs; raises InputError as `units.ablation_curve` does."""
        if self.draws < 1:
            raise OptionError(f"draws must be at least 1 random order; it was {self.draws}.")
        layer = last_with_maps(net) if self.layer is None else net.layer(self.layer).name
        shape = net.layer(layer).shape
        if net.class_count < 2:
            raise Skipped(f"{net.name} has one output, so it has no accuracy to lose.")
        dataset = data.of(net)
        own = split_of(dataset, self.split)
        passes = shape[-1] + (self.draws + 2) * self.steps if shape else 1
        count = min(MOST, affordable(net, len(own.images), passes))
        asked = Asked(net, layer, own.images[:count], np.asarray(own.labels[:count], np.int32), dataset, self)
        pictures = [asked.curve(part(report, 0, 1 + self.pairs, "curve"))]
        return pictures + ([asked.matrix(part(report, 1, 2, "pairs"))] if self.pairs else [])


@dataclass(frozen=True)
class Asked:
    """A layer of a network, the images that it is shown, and the options."""

    net: Net
    layer: str
    images: np.ndarray
    labels: np.ndarray
    dataset: Any
    options: Ablation

    @property
    def named(self) -> dict[str, Any]:
        """The arguments that all of it takes."""
        return {"prepare": self.net.prepare, "to": self.options.instead}

    @property
    def subject(self) -> dict[str, Any]:
        """What the pictures show."""
        subject = {"network": self.net.name, "layer": self.layer, "dataset": self.dataset.name}
        return subject | {"split": self.options.split}

    def curve(self, report: Report | None) -> Picture:
        """Accuracy and loss in each order; its table has the units that are worth most."""
        both, options = (self.net.model, self.net.variables), self.options
        lost = units.ablation(*both, self.images, self.labels, self.layer, **self.named, report=part(report, 0, 2))
        found = units.ablation_curve(
            *both,
            self.images,
            self.labels,
            self.layer,
            ranked=lost.ranked.tolist(),
            draws=options.draws,
            steps=options.steps,
            key=jax.random.key(options.seed),
            **self.named,
            report=part(report, 1, 2),
        )
        panels = {name: orders(values) for name, values in (("accuracy", found.accuracy), ("loss", found.loss))}
        title = f"{self.net.title}: accuracy as units of {self.layer} are removed"
        shares, labels = (
            {name: found.removed.astype(float) for name in panels},
            {"accuracy": "accuracy", "loss": "mean cross-entropy"},
        )
        draw = partial(bands, panels, shares, labels, across=f"units of {self.layer} removed", title=title)
        numbers = {
            "removed": found.removed,
            "accuracy": found.accuracy,
            "loss": found.loss,
            "ranked": lost.ranked,
            "loss_gained": lost.loss_gained,
            "accuracy_lost": lost.accuracy_lost,
            "class_accuracy_lost": lost.class_accuracy_lost,
        }
        table = worth(lost, self.dataset.classes)
        axes = {
            "accuracy": ("order", "removed"),
            "loss": ("order", "removed"),
            "class_accuracy_lost": ("unit", "class"),
        }
        name = f"ablation_{self.layer}" + ("_mean" if options.instead == "mean" else "")
        return Picture(name, title, self.said(found), numbers, draw, self.subject, axes, table)

    def said(self, found: units.AblationCurve) -> str:
        """The caption of the curves."""
        becomes = "set to zero" if self.options.instead == "zero" else "replaced by their mean over the images"
        return (
            f"Units are {becomes}, one after another, over {counted(found.images, f'{self.options.split} image')}. A "
            "unit is important if the loss rises much without it alone. The random line is the mean of "
            f"{len(found.random)} orders, its band one standard deviation. Accuracy is "
            f"{found.accuracy[0, 0]:.4f} with all units and {found.accuracy[0, -1]:.4f} with none."
        )

    def matrix(self, report: Report | None) -> Picture:
        """What goes with two units beyond what goes with each alone; its table has the pairs with the most."""
        own, count = (self.images[:FEW], self.labels[:FEW]), self.net.layer(self.layer).shape[-1]
        if count > MOST_PAIRED:
            raise InputError(
                f"{self.layer} has {count:,} units, whose {count * (count - 1) // 2:,} pairs are too many to compute; "
                f"--pairs takes a layer of at most {MOST_PAIRED}."
            )
        found = units.pairs(self.net.model, self.net.variables, *own, self.layer, **self.named, report=report)
        excess = np.full((count, count), np.nan)
        excess[tuple(found.units.T)] = excess[tuple(found.units.T[::-1])] = found.excess
        title = f"{self.net.title}: which units of {self.layer} stand in for each other"
        names = [str(i) for i in range(count)]
        across = f"unit of {self.layer}"
        draw = partial(matrix, excess, names, across=across, label="excess loss", title=title)
        numbers = {"units": found.units, "excess": found.excess, "loss_gained": found.loss_gained}
        numbers |= {"accuracy_lost": found.accuracy_lost, "accuracy_excess": found.accuracy_excess}
        axes = {name: ("pair", "unit") if name == "units" else ("pair",) for name in numbers}
        caption = (
            f"Excess loss is what the mean cross-entropy over {counted(found.images, f'{self.options.split} image')} "
            "gains without both units, beyond what it gains without the one and without the other: red where either "
            "can go but not both, blue where each is of use only with the other, white where they work apart."
        )
        return Picture(f"pairs_{self.layer}", title, caption, numbers, draw, self.subject, axes, alike(found))


def orders(values: np.ndarray) -> dict[str, Band]:
    """The lines of a panel: the two ranked orders, and the mean of the random ones with one deviation on each side."""
    values = np.where(np.isfinite(values), values.astype(np.float64), np.nan)  # an infinite loss is a gap
    random = values[2:]
    mean = random.mean(0)
    deviation = random.std(0, ddof=1) if len(random) > 1 else np.zeros_like(mean)
    line = lambda own: {"mean": own, "low": own, "high": own}
    band = {"mean": mean, "low": mean - deviation, "high": mean + deviation}
    return {FIRST: line(values[0]), LAST: line(values[1]), RANDOM: band}


def worth(lost: units.Ablation, classes: Sequence[str]) -> list[dict[str, object]]:
    """The units without which the loss rises most, one row each."""
    rows = []
    for i in np.argsort(-lost.loss_gained, kind="stable")[:LISTED]:
        by_class = lost.class_accuracy_lost[i]
        k = int(np.nanargmax(by_class)) if np.isfinite(by_class).any() else 0
        name = classes[k] if k < len(classes) else f"class {k}"
        cells = (int(lost.units[i]), float(lost.loss_gained[i]), float(lost.accuracy_lost[i]), name, float(by_class[k]))
        rows.append(dict(zip(HEADER, cells, strict=True)))
    return rows


def alike(found: units.Pairs) -> list[dict[str, object]]:
    """The pairs with the largest excess, one row each."""
    rows = []
    for i in found.ranked[:LISTED]:
        one, other = map(int, found.units[i])
        row = {"unit": one, "other": other, "excess loss": float(found.excess[i])}
        rows.append(row | {"loss gained": float(found.loss_gained[i]), "accuracy lost": float(found.accuracy_lost[i])})
    return rows
