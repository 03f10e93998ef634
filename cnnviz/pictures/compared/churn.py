"""How often networks give different answers, and how often seeds of one network do: what is only the seed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnnviz.batching import Report
from cnnviz.comparison.churn import Churn as Rates
from cnnviz.comparison.churn import explained_by_seed
from cnnviz.figures.intervals import Row, intervals
from cnnviz.networks import Net
from cnnviz.pictures.compared.options import OfImages
from cnnviz.pictures.compared.shared import answered
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped

PANELS = {"different": "different answers", "flipped": "one of both right", "same_mistake": "same mistake"}


@dataclass(frozen=True)
class Churn(OfImages, Kind):
    """The share of images with different answers, within the seeds of a network and between networks."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture; raises Skipped for one network of one seed, and as `answered`."""
        found, dataset, notes = answered(networks, data, self.split, report)
        if not found.churn:
            raise Skipped(f"{found.answers[0].name} is one network of one seed, so no answers can be different.")
        title = f"Different answers to the {len(found.images):,} {self.split} images of {dataset.title}"
        names = [_name(each) for each in found.churn]
        panels = {label: [_row(getattr(each, name)) for each in found.churn] for name, label in PANELS.items()}
        rows = [_record(each) for each in found.churn]
        has_pairs = any(len(each.different) > 1 for each in found.churn)
        dots = "; a dot is the mean of all pairs of seeds, a tick one pair" if has_pairs else ""
        caption = (
            f"Shares of images{dots}. In order: different answers "
            "(churn); one of both right and the other wrong; of what both have wrong, the same answer."
        )
        caption += "".join(f" {text}" for text in _sentences(found.churn)) + notes
        draw = partial(intervals, names, panels, title=title, legend="each pair")
        subject = {"networks": [each.name for each in found.answers], "dataset": dataset.name}
        return [Picture("churn", title, caption, rows, draw, subject, table=rows)]


def _name(each: Rates) -> str:
    return f"seeds of {each.one}" if each.is_within else f"{each.one}, {each.other}"


def _row(values: np.ndarray) -> Row:
    known = values[np.isfinite(values)]
    mean = float(known.mean()) if known.size else float("nan")
    return Row(mean, members=known) if len(values) > 1 else Row(mean)


def _record(each: Rates) -> dict[str, object]:
    shares = {label: float(np.mean(getattr(each, name))) for name, label in PANELS.items()}
    deviation = float(each.different.std(ddof=1)) if len(each.different) > 1 else float("nan")
    return {"networks": _name(each), "pairs": len(each.different), **shares, "deviation": deviation}


def _sentences(every: Sequence[Rates]) -> list[str]:
    """How much of the churn between each two networks is there between seeds, or that it is not known."""
    within, between = [each for each in every if each.is_within], [each for each in every if not each.is_within]
    found = []
    for each in between[:4]:
        share = explained_by_seed(each, within)
        if np.isfinite(share):
            found.append(f"Churn between seeds is {share:.0%} of that between {each.one} and {each.other}.")
    if between and not within:
        found.append("Each network is one seed, so it is not known how much of this is only the seed.")
    return found
