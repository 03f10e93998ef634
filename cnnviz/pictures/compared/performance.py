"""How right each network is on the same images, by how much they differ, and whether that is chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cnnviz.batching import Report
from cnnviz.comparison.compare import Compared
from cnnviz.comparison.estimates import check
from cnnviz.comparison.performance import MEASURES, Difference
from cnnviz.figures.intervals import intervals
from cnnviz.networks import Net
from cnnviz.pictures.compared.classes import TESTS
from cnnviz.pictures.compared.options import OfImages, OfIntervals
from cnnviz.pictures.compared.rows import Cells, drawn, explained, records, rows
from cnnviz.pictures.compared.shared import answered
from cnnviz.pictures.picture import Data, Kind, Picture

MOST_SENTENCES, MOST_PAIRS = 6, 28
SMALL = (
    "Chance makes a calibration error larger; its interval is corrected for that, and may lie to the left of the dot."
)
NAMES = {"accuracy": "accuracy", "loss": "loss (nats)", "ECE": "calibration error", "Brier": "Brier score"}


@dataclass(frozen=True)
class Performance(OfImages, OfIntervals, Kind):
    """Accuracy, loss, calibration error and Brier score of every network, and of every pair their differences."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The measures, and the differences if there are several networks; raises as `answered`."""
        check(self.level, self.resamples)
        found, dataset, notes = answered(networks, data, self.split, report)
        found = replace(found, level=self.level, resamples=self.resamples, bins=self.bins)
        where = f"the {len(found.images):,} {self.split} images of {dataset.title}"
        both = [measures(found, where, notes)] + [differences(found, where, notes)] * (len(found.answers) > 1)
        subject = {"networks": list(found.performance.networks), "dataset": dataset.name}
        return [replace(picture, subject=subject) for picture in both]


def measures(found: Compared, where: str, notes: str) -> Picture:
    """Each measure of each network."""
    its = found.performance.networks
    counts = {each.name: len(each.p) for each in found.answers}
    table = [row for name, own in its.items() for row in rows({"network": name}, own.images, own.seeds, counts[name])]
    panels = {
        NAMES[name]: [drawn(own.images[name], own.seeds[name], own.members[name].tolist()) for own in its.values()]
        for name in MEASURES
    }
    title = f"Performance on {where}"
    draw = partial(intervals, list(its), panels, title=title)
    caption = f"{explained(found)} {SMALL}{notes}"
    return Picture("performance", title, caption, records(table), draw, table=table)


def differences(found: Compared, where: str, notes: str) -> Picture:
    """Each measure's difference of each pair of networks, with the tests of their accuracy."""
    pairs = found.performance.pairs
    table = [row for pair in pairs for row in _rows(pair, found)]
    panels = {
        NAMES[name]: [drawn(pair.images[name], pair.seeds[name]) for pair in pairs[:MOST_PAIRS]] for name in MEASURES
    }
    title = f"Differences on {where}"
    names = [f"{pair.one} − {pair.other}" for pair in pairs[:MOST_PAIRS]]
    draw = partial(intervals, names, panels, zero=True, title=title)
    said, what = " ".join(map(_sentence, pairs[:MOST_SENTENCES])), explained(found, seeds="Welch's")
    caption = f"{said} {what} Both networks see the same resamples.{notes}"
    if len(pairs) > MOST_PAIRS:
        caption += f" Drawn are the first {MOST_PAIRS} of {len(pairs)} pairs."
    return Picture("differences", title, caption, records(table), draw, table=table)


def _rows(pair: Difference, found: Compared) -> list[Cells]:
    several = [each for each in found.answers if each.name in (pair.one, pair.other) and len(each.p) > 1]
    first, *more = rows({"pair": f"{pair.one} − {pair.other}"}, pair.images, pair.seeds, len(several))
    return [{**first, **_tests(pair)}, *({**row, "interval over": "seeds"} for row in more)]


def _tests(pair: Difference) -> Mapping[str, object]:
    counts = {"only first right": round(pair.only_one), "only second right": round(pair.only_other)}
    return counts | {"McNemar p": pair.mcnemar, "Welch p": pair.welch, "Holm p": pair.corrected}


def _sentence(pair: Difference) -> str:
    """What the tests say of one pair."""
    if pair.only_one == pair.only_other == 0 and pair.images["loss"].value == 0:
        return f"{pair.one} and {pair.other} do not differ: every difference is exactly 0."
    test = TESTS[pair.test]
    corrected = "" if pair.corrected == pair.p else f", {_p(pair.corrected)} after Holm's correction"
    value = pair.images["accuracy"].value
    return f"{pair.one} − {pair.other}: accuracy {value:+.4f}, {_p(pair.p)} by {test}{corrected}."


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {float(p):.4f}"
