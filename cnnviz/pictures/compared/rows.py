"""Estimates as rows of tables, as records, and as rows of a figure."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnnviz.comparison.compare import Compared
from cnnviz.comparison.estimates import Estimate
from cnnviz.comparison.performance import Estimates
from cnnviz.figures.intervals import Row

Cells = dict[str, object]


def rows(first: Mapping[str, object], images: Estimates, seeds: Estimates, members: int) -> list[Cells]:
    """One row with the intervals over images, and of several members one with those over seeds."""
    found: list[Cells] = [{**first, "interval over": "images", **images}]
    return found + ([{**first, "interval over": f"{members} seeds", **seeds}] if members > 1 else [])


def records(cells: Sequence[Mapping[str, object]]) -> list[Cells]:
    """The rows with numbers alone: an estimate is three columns, its value and both ends."""
    return [dict(pair for name, value in row.items() for pair in flat(name, value)) for row in cells]


def flat(name: str, value: object) -> list[tuple[str, object]]:
    """The columns of one cell."""
    if isinstance(value, Estimate):
        return [(name, value.value), (f"{name} low", value.low), (f"{name} high", value.high)]
    return [(name, float(value) if isinstance(value, float) else value)]


def drawn(images: Estimate, seeds: Estimate | None = None, members: Sequence[float] = ()) -> Row:
    """A row of a figure; a single member has no interval over seeds and no tick."""
    ends = (seeds.low, seeds.high) if seeds is not None else (np.nan, np.nan)
    own = np.asarray(members, np.float64) if len(members) > 1 else np.zeros(0)
    return Row(images.value, (images.low, images.high), ends, own)


def explained(found: Compared, *, seeds: str = "Student's") -> str:
    """The sentences on what the intervals are, and on networks of one seed; `seeds` is whose intervals those are."""
    several = [each.name for each in found.answers if len(each.p) > 1]
    alone = [each.name for each in found.answers if len(each.p) == 1]
    text = f"Intervals over images are from {found.resamples:,} bootstrap resamples, at {found.level:.0%}"
    if several and seeds:
        text += f"; those over seeds are {seeds}"
    text += "; dots are means over seeds." if several else "."
    if not seeds or not alone:
        return text
    if not several:
        return f"{text} Each network is one seed, so nothing says what another seed would give."
    return f"{text} One seed, so without an interval over seeds: {', '.join(alone)}."
