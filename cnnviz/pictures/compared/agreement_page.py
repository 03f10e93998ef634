"""The pictures of agreement: numbers with intervals in one, means and deviations of maps over seeds in the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.agreement import agreement, on_other_images
from cnnviz.comparison.estimates import Estimate, over_images
from cnnviz.comparison.member_maps import spread
from cnnviz.data import Dataset
from cnnviz.errors.wording import counted
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.intervals import Row, intervals
from cnnviz.figures.scales import Scale, scale_of, scales_of
from cnnviz.networks import Net
from cnnviz.pictures.picture import Picture

PANELS = ("rank correlation", "top-k overlap", "sign agreement", "SSIM")
MOST_IMAGES, MOST_NETWORKS = 6, 2  # of the picture of maps


@dataclass(frozen=True)
class Explained:
    """A network and its maps `[members, n, *sides]`."""

    net: Net
    maps: np.ndarray


@dataclass(frozen=True)
class Pair:
    """The agreement `[pairs, 4, n]` of pairs of members; `what` is "seeds", "networks" or "other images"."""

    name: str
    what: str
    values: Float[np.ndarray, "pairs 4 n"]

    @classmethod
    def of(
        cls, name: str, what: str, a: Explained, b: Explained, pairs: Sequence[tuple[int, int]], share: float
    ) -> "Pair":
        """The agreement of members of two networks, by their places."""
        return cls(name, what, np.stack([agreement(a.maps[i], b.maps[j], share=share).stacked() for i, j in pairs]))

    @classmethod
    def baseline(cls, one: Explained, share: float, seed: int) -> "Pair":
        """The agreement of a network's maps with its maps of other images."""
        found = [on_other_images(maps, share=share, seed=seed).stacked() for maps in one.maps]
        return cls(f"{one.net.name}, other images", "other images", np.stack(found))

    def estimate(self, measure: int) -> Estimate:
        """The mean over pairs and images, with an interval over the images where it is defined in some pair."""
        values = self.values[:, measure]
        known = np.isfinite(values).any(axis=0)
        if known.sum() < 2:
            return Estimate(float(values[:, known].mean()) if known.any() else np.nan, np.nan, np.nan)
        return over_images(np.nanmean(values[:, known], axis=0)[None])[0]

    def row(self, measure: int) -> Row:
        """A row of the figure, with a tick for each of several pairs."""
        found = self.estimate(measure)
        each = [float(np.nanmean(own)) for own in self.values[:, measure] if np.isfinite(own).any()]
        members = np.array(each) if len(self.values) > 1 else np.zeros(0)
        return Row(found.value, (found.low, found.high), members=members)


def picture(
    pairs: Sequence[Pair],
    found: Sequence[Explained],
    dataset: Dataset,
    numbers: np.ndarray,
    said: str,
    *,
    method: str,
    share: float,
    split: str,
) -> Picture:
    """How far maps agree: one row per pair, one panel per number that is defined."""
    defined = [i for i in range(len(PANELS)) if any(np.isfinite(pair.values[:, i]).any() for pair in pairs)]
    panels = {PANELS[i]: [pair.row(i) for pair in pairs] for i in defined}
    title = f"Agreement of maps by {method} of {counted(len(numbers), f'{split} image')} of {dataset.title}"
    caption = (
        "Maps of the true class, compared image by image: Spearman's correlation of all values; which share of the "
        f"{share:.0%} of largest absolute values is in both; the share of values with one sign, of those that are not "
        "zero in both; the structural similarity. 1 is the same map. Baseline: one network's maps of other images, "
        "which agree by what all maps have in common. Intervals of 95% are over images"
    )
    caption += ", ticks are pairs of seeds." if any(len(pair.values) > 1 for pair in pairs) else "."
    caption += _on_seeds(pairs) + _on_missing(pairs, defined) + _on_same(found) + said
    draw = partial(intervals, [pair.name for pair in pairs], panels, title=title, legend="each pair")
    records = [
        {"maps": pair.name, "compared": pair.what, "method": method, "pair": i, "image": int(numbers[n])}
        | {PANELS[k]: float(own[k, n]) for k in range(len(PANELS))}
        for pair in pairs
        for i, own in enumerate(pair.values)
        for n in range(own.shape[1])
    ]
    table = [
        {"maps": pair.name, "pairs": len(pair.values)} | {PANELS[k]: pair.estimate(k) for k in defined}
        for pair in pairs
    ]
    subject = {"networks": [one.net.name for one in found], "dataset": dataset.name, "method": [method]}
    return Picture("agreement", title, caption, records, draw, subject, table=table)


def maps_picture(
    found: Sequence[Explained],
    images: np.ndarray,
    labels: np.ndarray,
    numbers: np.ndarray,
    dataset: Dataset,
    *,
    method: str,
    share: float,
    split: str,
) -> list[Picture]:
    """The mean and deviation of maps over seeds of the first two networks; none of volumes and vectors."""
    if images.ndim not in (3, 4) or found[0].maps.shape[2:] != images.shape[1:-1]:
        return []
    images, labels, numbers = images[:MOST_IMAGES], labels[:MOST_IMAGES], numbers[:MOST_IMAGES]
    columns: dict[str, Column] = {}
    for one in found[:MOST_NETWORKS]:
        columns |= _columns(one.net.name, one.maps[:, : len(images)])
    rows = [
        f"{split} {number}\n{dataset.classes[label]}"
        for number, label in zip(numbers.tolist(), labels.tolist(), strict=True)
    ]
    is_spread = any(len(one.maps) > 1 for one in found[:MOST_NETWORKS])
    title = f"Maps by {method} of {split} images of {dataset.title}{', over seeds' * is_spread}"
    seeds = "; of several seeds their mean and, on one scale for all, their standard deviation" * is_spread
    caption = (
        f"Maps of the true class, each divided by its largest absolute value{seeds}. "
        f"The end of a {'mean' if is_spread else 'map'}'s scale is printed under it."
    )
    if len(found) > MOST_NETWORKS:
        caption += f" Drawn are {MOST_NETWORKS} of {len(found)} networks."
    arrays = {"images": images} | {_key(name): column.maps for name, column in columns.items()}
    draw = partial(attributions, images, rows, columns, title=title)
    subject = {"networks": [one.net.name for one in found], "dataset": dataset.name, "method": [method]}
    return [Picture("agreement_maps", title, caption, arrays, draw, subject)]


def _columns(name: str, maps: np.ndarray) -> dict[str, Column]:
    both = spread(maps)
    mean, deviation = (np.asarray(each, np.float32) for each in both)
    if len(maps) == 1:
        return {name: Column(mean, scales_of(mean))}
    high = max(scale_of(deviation).high, 1e-6)
    return {
        f"{name}\nmean of {len(maps)}": Column(mean, scales_of(mean)),
        f"{name}\ndeviation": Column(deviation, [Scale(0.0, high)]),
    }


def _key(name: str) -> str:
    return name.replace("\n", " ")


def _on_seeds(pairs: Sequence[Pair]) -> str:
    """How much of the disagreement between the first two networks seeds have as well, by rank correlation."""
    of = lambda what: [pair.estimate(0).value for pair in pairs if pair.what == what]
    if not (of("seeds") and of("networks")):
        return "" if of("seeds") else " Each network is one seed, so nothing says how far seeds agree."
    return f" Rank correlations are {of('seeds')[0]:.2f} between seeds and {of('networks')[0]:.2f} between networks."


def _on_missing(pairs: Sequence[Pair], defined: Sequence[int]) -> str:
    others = [PANELS[i] for i in range(len(PANELS)) if i not in defined]
    text = f" Not defined for these maps: {', '.join(others)}." if others else ""
    values = np.concatenate([pair.values[:, defined].ravel() for pair in pairs])
    lost = int((~np.isfinite(values)).sum())
    return text + (
        f" {lost:,} of {values.size:,} numbers are not defined (a map is constant) and left out." * bool(lost)
    )


def _on_same(found: Sequence[Explained]) -> str:
    first, *others = found
    same = [one.net.name for one in others if np.array_equal(one.maps, first.maps)]
    return f" The maps of {' and '.join([first.net.name, *same])} are exactly the same." if same else ""
