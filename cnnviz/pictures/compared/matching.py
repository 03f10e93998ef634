"""Units of one network matched to those of another: the kernels of both side by side, and how alike each pair is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnnviz.batching import Report, part
from cnnviz.comparison.alignment import WAYS, Aligned, Likeness, why_not
from cnnviz.data import Dataset
from cnnviz.errors import check_known
from cnnviz.networks import Net
from cnnviz.pictures.compared.matched_kernels import matched_kernels
from cnnviz.pictures.compared.pairs import OfMatching, Pair, aligned, pairs_of, start_said
from cnnviz.pictures.compared.rows import Cells
from cnnviz.pictures.layer_slides import by_layers
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped

MOST_GROUPS, MOST_TICKS, CHANCE = 24, 100, "by chance"
PANELS = {"by_weights": "cosine of weights", "by_activations": "correlation of activations"}
Found = list[tuple[Pair, Aligned]]


@dataclass(frozen=True)
class Matching(OfMatching, Kind):
    """Kernels of the first network above those of another that match them, and how alike all matched units are."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture of all units, and one per pair of its first kernels; raises Skipped if nothing can be matched."""
        check_known("way to match units", self.match_by, WAYS)
        told = report or (lambda done, total, what="": None)
        pairs, found, reasons = pairs_of(networks), [], {}
        if not pairs:
            raise Skipped(f"{networks[0].name} is one network of one seed, so there is nothing to match it with.")
        for place, pair in enumerate(pairs):
            if reason := why_not(pair.one, pair.other):
                reasons[pair.name] = reason
            else:
                found.append((pair, aligned(pair, data, self, part(told, place, len(pairs), pair.name))))
        between = [pair for pair in pairs if not pair.is_within] or pairs
        known = {pair.name: its for pair, its in found}
        drawn = [matched_kernels(pair, known.get(pair.name), place) for place, pair in enumerate(between)]
        pictures = [picture for picture in drawn if picture is not None]
        if not found and not pictures:
            raise Skipped(" ".join(reasons.values()))
        return pictures + ([_units(found, reasons, self.match_by, data.used)] if found else [])


def _units(found: Found, reasons: Mapping[str, str], by: str, dataset: Dataset | None) -> Picture:
    """How alike the matched units of each group are, with what matching gives by chance."""
    groups = list(dict.fromkeys(group.name for _, its in found for group in its.tied.groups))
    panels = {label: _series(found, name) for name, label in PANELS.items() if any(getattr(a, name) for _, a in found)}
    title = f"Matched units of {' and '.join(pair.name for pair, _ in found)}"
    records = [record for pair, its in found for record in _records(pair, its)]
    table = [_row(pair, its, group.name) for pair, its in found for group in its.tied.groups]
    caption = _explained(by, has_images="correlation of activations" in panels)
    caption += "".join(map(_said, found)) + start_said([pair for pair, _ in found])
    caption += "".join(f" {reason}" for reason in reasons.values())
    if len(groups) > MOST_GROUPS:
        caption += f" Drawn are the first {MOST_GROUPS} of {len(groups)} groups of units."
    subject = {"networks": list(dict.fromkeys(net.name for pair, _ in found for net in (pair.one, pair.other)))}
    of_data = {} if dataset is None else {"dataset": dataset.name}
    about = "matching", title, caption, records, {**subject, **of_data}
    return by_layers(*about, groups[:MOST_GROUPS], panels, references=(CHANCE,), table=table)


def _series(found: Found, name: str) -> dict[str, dict[str, np.ndarray]]:
    each = [(pair.name, getattr(its, name)) for pair, its in found]
    series = {label: {group: _some(own.units) for group, own in its.items()} for label, its in each}
    first = next(its for _, its in each if its)
    return series | {CHANCE: {group: _some(own.null.ravel(), 21) for group, own in first.items()}}


def _some(values: np.ndarray, most: int = MOST_TICKS) -> np.ndarray:
    """The values that are known; of many, evenly spaced quantiles of the inner 95%."""
    values = values[np.isfinite(values)]
    return values if len(values) <= most else np.quantile(values, np.linspace(0.025, 0.975, most))


def _explained(by: str, *, has_images: bool) -> str:
    how = {
        "weights": "by weights (git re-basin)",
        "activations": "by their activations",
        "both": "by weights and activations",
    }[by]
    text = (
        f"Units matched {how}; each tick is a pair of units (a quantile where there are many), the mark their mean. "
        "The cosine is that of all weights from and to a unit, with all other units matched."
    )
    text += " The correlation is over the same images and places." if has_images else ""
    chance = "of weights in random order" + (", and of activations on other images" if has_images else "")
    return f"{text} Gray is the best match {chance}."


def _said(one: tuple[Pair, Aligned]) -> str:
    """How many units of a pair are more alike than by chance."""
    pair, its = one
    every = list(its.by_weights.values())
    count = sum(len(each.units) for each in every)
    if not count:
        return f" {pair.name}: no units may change places."
    above = sum(round(each.share * len(each.units)) for each in every)
    flips = f", {its.flipped} with the opposite sign" if its.flipped else ""
    same = " All pairs are equal." if all((each.units > 1 - 1e-6).all() for each in every) else ""
    still = sum(int(np.isnan(each.units).sum()) for each in its.by_activations.values())
    dead = f" Without a correlation are {still:,} pairs that are the same for all images." if still else ""
    return f" {pair.name}: {above:,} of {count:,} pairs are above 95% of chance by weights{flips}.{same}{dead}"


def _row(pair: Pair, its: Aligned, group: str) -> Cells:
    """One group of units in numbers."""
    permutation = its.permutations[group]
    row: Cells = {"networks": pair.name, "units of": group, "units": len(permutation.order), "moved": permutation.moved}
    for name, label in PANELS.items():
        if (own := getattr(its, name).get(group)) is not None:
            row |= _cells(label, own)
    return row


def _cells(label: str, own: Likeness) -> Cells:
    short = label.split(" ")[0]
    mean = lambda values: float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")
    above = {
        f"{short} above chance": own.share,
        f"{short} by chance": mean(own.null),
        f"95% of chance, {short}": own.threshold,
    }
    return {label: mean(own.units), **above}


def _records(pair: Pair, its: Aligned) -> list[dict[str, object]]:
    """One record per unit."""
    records = []
    for group in its.tied.groups:
        own = its.permutations[group.name]
        for i, (unit, sign) in enumerate(zip(own.order.tolist(), own.signs.tolist(), strict=True)):
            row = {"networks": pair.name, "units of": group.name, "unit of A": i, "unit of B": unit, "sign": int(sign)}
            for name, label in PANELS.items():
                row[label] = (
                    float(likeness.units[i]) if (likeness := getattr(its, name).get(group.name)) else float("nan")
                )
            records.append(row)
    return records
