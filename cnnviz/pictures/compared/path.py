"""Loss and accuracy along the straight line between two networks, as they are and with their units matched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnnviz.batching import Report, part
from cnnviz.comparison.alignment import WAYS, align, why_not
from cnnviz.comparison.connectivity import Along, Places
from cnnviz.comparison.estimates import Estimate, check, over_seeds
from cnnviz.comparison.path import has_statistics
from cnnviz.data import Dataset
from cnnviz.errors import OptionError, check_known
from cnnviz.figures.bands import Band, bands
from cnnviz.networks import Net
from cnnviz.pictures.compared.loss_plane import loss_plane
from cnnviz.pictures.compared.options import OfIntervals
from cnnviz.pictures.compared.pairs import OfMatching, Pair, aligned, pairs_of, start_said
from cnnviz.pictures.compared.rows import Cells
from cnnviz.pictures.compared.shared import answered
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, split_of

STATISTICS, OF_SURFACE = 1000, 500
Lines = dict[str, Along]  # before and after matching
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Path(OfMatching, OfIntervals, Kind):
    """Loss and accuracy along the line between networks before and after matching, and the barrier."""

    places: int = 11
    """How many networks along each line are evaluated, both ends included."""
    line_images: int = 1000
    """How many images they are evaluated on."""
    line_seeds: int = 1
    """How many pairs of seeds lines go between, of networks with several: of two or more, barriers have intervals."""
    surface: bool = False
    """Also draw the loss over the plane through the first two networks and the matched one."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The lines and, on request, the plane; raises Skipped as `answered`, and if no units can be matched."""
        self._check()
        told = report or (lambda done, total, what="": None)
        found, dataset, notes = answered(networks, data, self.split)
        known = [net for net in networks if net.name in {each.name for each in found.answers}]
        pairs, lines, reasons = pairs_of(known), {}, []
        for place, pair in enumerate(pairs):
            if reason := why_not(pair.one, pair.other):
                reasons.append(reason)
                continue
            lines[pair.name] = self._lines(pair, data, dataset, found.images, part(told, place, len(pairs), pair.name))
        if not lines:
            one = f"{networks[0].name} is one network of one seed, so no line leads to another."
            raise Skipped(" ".join(reasons) or one)
        measured = [pair for pair in pairs if pair.name in lines]
        seeds = self._over_seeds(measured, known, dataset, found.images)
        if self.line_seeds > 1 and (alone := [net.name for net in known if len(net.members) < 2]):
            notes += f" One seed, so no interval of barriers over seeds: {', '.join(alone)}."
        moved = {pair.name: (its := aligned(pair, data, self)).moved + its.flipped for pair in measured}
        picture = self._picture(measured, lines, seeds, moved, reasons, dataset, notes)
        if not self.surface:
            return [picture]
        count = min(self.line_images, OF_SURFACE)
        place = self._evaluated(measured[0].one, dataset, found.images, count)
        return [picture, loss_plane(measured[0], aligned(measured[0], data, self), place, dataset, self.split)]

    def _check(self) -> None:
        check(self.level, self.resamples)
        check_known("way to match units", self.match_by, WAYS)
        for name, least in (("places", 2), ("line_images", 2), ("line_seeds", 1), ("matching_images", 1)):
            if getattr(self, name) < least:
                raise OptionError(f"{name} must be at least {least}; it was {getattr(self, name)}.")

    def _evaluated(self, net: Net, dataset: Dataset, images: np.ndarray, most: int) -> Places:
        """The networks of a line on the first images whose classes all networks know."""
        its, kept = split_of(dataset, self.split), images[:most]
        anew = dataset.train.images[:STATISTICS] if has_statistics(net.variables) else None
        return Places(net, its.images[kept], its.labels[kept], dataset.classes, anew)

    def _lines(self, pair: Pair, data: Data, dataset: Dataset, images: np.ndarray, report: Report | None) -> Lines:
        its = aligned(pair, data, self)
        ends = {BEFORE: pair.other.variables, AFTER: its.variables}
        place = self._evaluated(pair.one, dataset, images, self.line_images)
        return {
            name: place.along(end, self.places, part(report, i, len(ends), pair.name))
            for i, (name, end) in enumerate(ends.items())
        }

    def _over_seeds(
        self, pairs: Sequence[Pair], networks: Sequence[Net], dataset: Dataset, images: np.ndarray
    ) -> dict[str, dict[str, Estimate]]:
        """Barriers between further seeds of two networks with several each, with intervals over seeds."""
        found = {}
        first, *others = networks
        for name, other in ((f"{first.name}, {other.name}", other) for other in others):
            count = min(self.line_seeds, len(first.members), len(other.members))
            if name not in {pair.name for pair in pairs} or count < 2:
                continue
            each = [self._between(first.only(i), other.only(i), dataset, images) for i in range(count)]
            found[name] = {how: over_seeds(np.array([row[how] for row in each]), self.level) for how in (BEFORE, AFTER)}
        return found

    def _between(self, a: Net, b: Net, dataset: Dataset, images: np.ndarray) -> dict[str, float]:
        shown = split_of(dataset, self.split).images[: self.matching_images] if self.match_by != "weights" else None
        its, place = align(a, b, shown, by=self.match_by), self._evaluated(a, dataset, images, self.line_images)
        ends = {BEFORE: b.variables, AFTER: its.variables}
        return {name: place.along(end, self.places).barrier(self.level, 100).value for name, end in ends.items()}

    def _picture(
        self,
        pairs: Sequence[Pair],
        lines: dict[str, Lines],
        seeds: dict[str, dict[str, Estimate]],
        moved: Mapping[str, int],
        reasons: Sequence[str],
        dataset: Dataset,
        notes: str,
    ) -> Picture:
        table = [
            self._row(pair.name, how, along, seeds.get(pair.name, {}).get(how))
            for pair in pairs
            for how, along in lines[pair.name].items()
        ]
        panels: dict[str, dict[str, Band]] = {"loss": {}, "accuracy": {}}
        for pair in pairs:
            for how, along in lines[pair.name].items():
                for name, means in zip(panels, along.means(self.level, self.resamples), strict=True):
                    panels[name][f"{how}: {pair.name}"] = _band(means)
        shares = dict.fromkeys(panels, np.linspace(0, 1, self.places))
        title = f"On the line between {' and '.join(pair.name for pair in pairs)}, {dataset.title}"
        caption = self._caption(pairs, moved, table, dataset) + "".join(f" {reason}" for reason in reasons) + notes
        labels = {"loss": "loss (nats)", "accuracy": "accuracy"}
        draw = partial(bands, panels, shares, labels, across="share of the way", title=title)
        numbers = [
            {"networks": pair, "matching": how, "place": float(share), "loss": float(loss), "accuracy": float(right)}
            for pair, own in lines.items()
            for how, along in own.items()
            for share, loss, right in zip(along.shares, along.loss.mean(1), along.right.mean(1), strict=True)
        ]
        subject = {"networks": list(dict.fromkeys(n.name for p in pairs for n in (p.one, p.other)))}
        return Picture("path", title, caption, numbers, draw, subject | {"dataset": dataset.name}, table=table)

    def _row(self, name: str, how: str, along: Along, seeds: Estimate | None) -> Cells:
        loss, accuracy = along.loss.mean(1), along.right.mean(1)
        row: Cells = {"networks": name, "matching": how, "barrier": along.barrier(self.level, self.resamples)}
        row |= {"barrier over seeds": seeds} if seeds is not None else {}
        row |= {"loss of A": float(loss[0]), "loss of B": float(loss[-1]), "largest loss": float(loss.max())}
        return row | {"least accuracy": float(accuracy.min())}

    def _caption(
        self, pairs: Sequence[Pair], moved: Mapping[str, int], table: Sequence[Cells], dataset: Dataset
    ) -> str:
        count = min(self.line_images, len(split_of(dataset, self.split).images))
        text = (
            f"Networks on the straight line from one to the other, at {self.places} places, on the first {count:,} "
            f"{self.split} images; bands are {self.level:.0%} bootstrap intervals over images. After matching the "
            f"second one's units are in the order of the first one's, by {self.match_by}. "
            "The barrier is the largest loss above the line between the losses of both ends:"
        )
        said = [f" {row['networks']}, {row['matching']} matching {row['barrier']:.3f}" for row in table]
        text += f"{';'.join(said)}.{start_said(pairs)}"
        if still := [pair.name for pair in pairs if not moved[pair.name]]:
            text += f" No unit moves, so both lines are one: {'; '.join(still)}."
        if any(has_statistics(pair.one.variables) for pair in pairs):
            own = min(STATISTICS, len(dataset.train.images))
            text += f" Running statistics are computed anew at each place, from {own:,} training images."
        return text


def _band(means: Sequence[Estimate]) -> Band:
    return {
        key: np.array([getattr(each, of) for each in means])
        for key, of in (("mean", "value"), ("low", "low"), ("high", "high"))
    }
