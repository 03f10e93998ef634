"""How right each network is on the images of each class, and in which classes networks differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from cnnviz.batching import Report
from cnnviz.comparison.compare import Compared
from cnnviz.comparison.estimates import check
from cnnviz.figures.intervals import intervals
from cnnviz.networks import Net
from cnnviz.pictures.compared.options import OfImages, OfIntervals
from cnnviz.pictures.compared.rows import Cells, drawn, explained, records
from cnnviz.pictures.compared.shared import answered
from cnnviz.pictures.compared.weight_shapes import few
from cnnviz.pictures.picture import Data, Kind, Picture

MOST, MOST_NETWORKS, MOST_SENTENCES = 25, 3, 3
TESTS = {"McNemar": "McNemar's exact test", "Welch over seeds": "Welch's test over seeds"}


@dataclass(frozen=True)
class Classes(OfImages, OfIntervals, Kind):
    """Accuracy by class of every network, and the differences."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture; raises as `answered`."""
        check(self.level, self.resamples)
        found, dataset, notes = answered(networks, data, self.split, report)
        found = replace(found, level=self.level, resamples=self.resamples)
        table, names = _rows(found), [each.name for each in found.answers]
        shown = _most_different(table, names) if len(table) > MOST else table
        columns = {f"accuracy of {name}": name for name in names[:MOST_NETWORKS]}
        alike = len(columns)
        columns |= {_minus(names[0], name): _minus(names[0], name) for name in names[1:2]}
        panels = {label: [drawn(row[column]) for row in shown] for label, column in columns.items()}  # type: ignore[arg-type]
        title = f"Accuracy by class on the {len(found.images):,} {self.split} images of {dataset.title}"
        caption = f"A class's accuracy is its recall. {explained(found, seeds='')}"
        if len(shown) < len(table):
            caption += f" Drawn are the {MOST} of {len(table):,} classes that differ most."
        if len(names) > MOST_NETWORKS:
            caption += f" Drawn are {MOST_NETWORKS} of {len(names)} networks, and the difference of the first two."
        draw = partial(intervals, [str(row["class"]) for row in shown], panels, alike=alike, title=title)
        caption += _tested(found)
        subject = {"networks": names, "dataset": dataset.name}
        return [Picture("classes", title, caption + notes, records(table), draw, subject, table=table)]


def _rows(found: Compared) -> list[Cells]:
    """One row per class: the accuracy of each network, the difference of each pair, and its test."""
    names = [each.name for each in found.answers]
    pairs = [_minus(pair.one, pair.other) for pair in found.performance.pairs]
    columns = [*names, *pairs]
    tests = [f"Holm p, {pair}" for pair in pairs]
    return [
        {"class": found.classes[c], **dict(zip([*columns, *tests], [*own, *apart, *found.class_tests[c]], strict=True))}
        for c, own, apart in found.by_class
    ]


def _tested(found: Compared) -> str:
    """In which classes networks differ more than by chance, of the first pairs; empty for a single network."""
    pairs = found.performance.pairs
    text = ""
    for place, pair in enumerate(pairs[:MOST_SENTENCES]):
        p = {found.classes[c]: its[place] for c, its in found.class_tests.items()}
        differ = [name for name, value in p.items() if value <= 1 - found.level]
        text += f" {_minus(pair.one, pair.other)}: {few(differ, 10) if differ else 'no class'}."
    if not text:
        return ""
    tests = sum(map(len, found.class_tests.values()))
    by = " and ".join(dict.fromkeys(TESTS[pair.test] for pair in pairs))
    return f" Classes that differ at {1 - found.level:.2g} by {by}, by Holm's correction for {tests} tests:{text}"


def _minus(one: str, other: str) -> str:
    return f"{one} − {other}"


def _most_different(table: Sequence[Cells], names: Sequence[str]) -> list[Cells]:
    """The classes in which the first two networks differ most, or that one network has least right."""
    column = _minus(*names[:2]) if len(names) > 1 else names[0]
    least = 0.0 if len(names) > 1 else 1.0
    return sorted(table, key=lambda row: -abs(row[column].value - least))[:MOST]  # type: ignore[attr-defined]
