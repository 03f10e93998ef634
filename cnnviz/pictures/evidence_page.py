"""The pictures of a table of methods and metrics: the table, curves, what random weights do to maps, and agreement."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cnnviz.batching import Report, part
from cnnviz.errors.wording import counted, listed
from cnnviz.figures.bands import bands
from cnnviz.figures.pairs import pairs
from cnnviz.figures.printable import signed
from cnnviz.metrics.curve import Curve
from cnnviz.metrics.evidence import curve_bands
from cnnviz.metrics.input_invariance import InputInvariance
from cnnviz.metrics.measuring import check_single
from cnnviz.metrics.members import OfMembers
from cnnviz.metrics.mprt import MPRT
from cnnviz.metrics.random_logit import RandomLogit
from cnnviz.metrics.road import ROAD
from cnnviz.networks import Net
from cnnviz.pictures.attribution_page import left_out_words
from cnnviz.pictures.evidence import Asked, Found, Subject, gathered, order, subject_of
from cnnviz.pictures.picture import Data, Picture
from cnnviz.pictures.random_weights import strip_picture
from cnnviz.pictures.table_slides import tabular
from cnnviz.pictures.tables import WRITERS, as_csv

EDGES, MARK, MOST_DRAWN = "sobel", "†", 12
SHARES = 10  # of the time, of which the pictures and their intervals take about one
COMPARING = MPRT, RandomLogit, InputInvariance, OfMembers  # metrics that ask for maps of several networks or scores


def evidence_pictures(asked: Asked, net: Net, data: Data, report: Report | None) -> list[Picture]:
    """The table, the curves of insertion and the like, the strip of random weights, and the scatter of metrics."""
    subject = Subject.of(asked, net, data)
    check_single(subject.images)
    found = gathered(subject, data, part(report, 0, SHARES, size=SHARES - 1))
    strips = [label for label, metric in found.metrics.items() if isinstance(metric, MPRT)]
    makes: list[tuple[str, Callable[[Report | None], Picture]]] = []
    makes += [("intervals and tests", lambda _: table_picture(subject, found))]
    makes += [("curves", lambda _: curves_picture(subject, found))] * bool(found.curves)
    makes += [("strip", partial(strip_picture, subject, found, label)) for label in strips]
    makes += [("agreement", lambda _: agreement_picture(subject, found))] * (len(found.evidence.metrics) > 1)
    rest = part(report, SHARES - 1, SHARES)
    return [make(part(rest, place, len(makes), name)) for place, (name, make) in enumerate(makes)]


def _title(subject: Subject, what: str) -> str:
    count, dataset = len(subject.images), subject.dataset
    seeds = f", {len(subject.net.members)} seeds" if len(subject.net.members) > 1 else ""
    return f"{subject.net.name} on {counted(count, f'{subject.asked.split} image')} of {dataset.title}{seeds}: {what}"


def table_picture(subject: Subject, found: Found) -> Picture:
    """Methods by metrics with intervals, by mean rank; its numbers have one record per method and metric."""
    evidence = found.evidence
    title = _title(subject, "are the maps true?")
    rows, caption = table_rows(found), table_caption(found)
    header = list(rows[0])
    words = [[signed(str(row[name])) for name in header] for row in rows]
    numeric = tuple(range(1, len(header)))
    texts = {f"table.{ending}": write(rows, f"{title} {caption}") for ending, write in WRITERS.items()}
    texts["tests.csv"] = as_csv(evidence.tests(), ["metric"])
    numbers = records(found)
    about = "evidence", title, caption, numbers, subject_of(subject, found)
    return tabular(*about, header, words, numeric=numeric, total=False, table=rows, texts=texts)


def table_rows(found: Found) -> list[dict[str, object]]:
    """One record per method in the order of mean ranks: each metric's mean with its interval, marked or not."""
    evidence, rows = found.evidence, []
    beats = evidence.beats(EDGES)
    for i in order(found):
        name = evidence.methods[i]
        row: dict[str, object] = {"method": name}
        is_control = name in evidence.controls
        for j, metric in enumerate(evidence.metrics):
            cell = evidence.cells[name, metric]
            mark = "" if is_control or beats[i, j] or not np.isfinite(cell.mean) else f" {MARK}"
            row[_headed(metric, evidence.better[j])] = f"{_interval(cell.mean, cell.low, cell.high)}{mark}"
        for metric, numbers in found.of_members.items():
            row[_headed(metric, found.metrics[metric].better)] = f"{numbers[name]:.3f}"
        if evidence.metrics:
            row["mean rank"] = "–" if is_control else f"{evidence.mean_ranks[i]:.1f}"
        rows.append(row)
    return rows


def _headed(metric: str, better: str) -> str:
    return f"{metric} {'↑' if better == 'higher' else '↓'}"


def _interval(mean: float, low: float, high: float) -> str:
    if not np.isfinite(mean):
        return "–"
    return f"{mean:.3f}" if not np.isfinite(low) else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def table_caption(found: Found) -> str:
    """What the numbers, the marks and the controls are, and what is left out."""
    evidence = found.evidence
    words = ["Means over images with 95% bootstrap intervals; ↑ more is better, ↓ less is better."]
    words.append(
        f"random is a map of noise and sobel an edge detector, which know nothing of the network{_same(found)}."
    )
    words.append(f"{MARK} not better than the edge detector (Wilcoxon's test over images, Holm's correction, 5%).")
    words += [
        _undefined(name, evidence.metrics, gone) for name, gone in zip(evidence.methods, _gone(found), strict=True)
    ]
    return " ".join(filter(None, [*words, *left_out_words(found.left_out)]))


def _same(found: Found) -> str:
    """Which metrics compare networks and are 1 or 0 for the controls, whose maps are the same for all networks."""
    controls, evidence = found.evidence.controls, found.evidence
    rows = [i for i, name in enumerate(evidence.methods) if name in controls]
    numbers: dict[str, Any] = {label: evidence.values[rows, j] for j, label in enumerate(evidence.metrics)}
    numbers |= {label: [own[name] for name in controls] for label, own in found.of_members.items()}
    comparing = [label for label in numbers if isinstance(found.metrics[label], COMPARING)]
    equal = lambda label, number: np.allclose(numbers[label], number, atol=1e-4)
    named = [f"{label} is {number}" for label in comparing for number in (1, 0) if equal(label, number)]
    return f": their maps are the same for any network and class, so {listed(named, len(named))}" if named else ""


def _gone(found: Found) -> np.ndarray:
    """How many maps of each method are left out by each metric."""
    defined = found.evidence.defined
    return defined.max(initial=0) - defined


def _undefined(name: str, metrics: Sequence[str], gone: np.ndarray) -> str:
    """Which metrics are not defined for how many maps of a method; an empty text if all are."""
    without = {
        int(count): [metrics[j] for j in np.flatnonzero(gone == count).tolist()] for count in np.unique(gone[gone > 0])
    }
    maps = {count: f"{'is' if count == 1 else 'are'} {counted(count, 'constant map')} of {name}" for count in without}
    return " ".join(f"Left out {maps[n]}, which {', '.join(names)} cannot measure." for n, names in without.items())


def records(found: Found) -> list[dict[str, object]]:
    """One record per method and metric, with everything that the table and its marks are made of."""
    evidence, beats = found.evidence, found.evidence.beats(EDGES)
    rows: list[dict[str, object]] = []
    for i, method in enumerate(evidence.methods):
        for j, metric in enumerate(evidence.metrics):
            named = {"method": method, "metric": metric, "better": evidence.better[j]}
            rows.append({**named, **evidence.cells[method, metric]._asdict(), f"beats {EDGES}": bool(beats[i, j])})
        for metric, numbers in found.of_members.items():
            rows.append({"method": method, "metric": metric, "better": "higher", "mean": numbers[method]})
    return rows


def curves_picture(subject: Subject, found: Found) -> Picture:
    """The mean curve of each method, in the band of its interval."""
    names = [found.evidence.methods[i] for i in order(found)]
    best = {*names[:MOST_DRAWN], *found.evidence.controls}
    drawn = [name for name in found.evidence.methods if name in best]  # in the order of all pictures, for its colors
    panels = {label: {name: curve_bands(own[name]) for name in drawn} for label, own in found.curves.items()}
    shares = {label: shares_of(found.metrics[label], next(iter(own.values()))) for label, own in found.curves.items()}
    labels = {label: _measured(found.metrics[label].outcome) for label in panels}
    title = _title(subject, "the answer as pixels change in a map's order")
    caption = (
        "Means over images; bands are 95% bootstrap intervals. Deletion and ROAD remove the most important pixels "
    )
    caption += "first, insertion puts them in."
    caption += f" Drawn are the {MOST_DRAWN} methods of the best mean rank." if len(names) > len(drawn) else ""
    draw = partial(bands, panels, shares, labels, across="share of pixels", title=title)
    numbers = {f"{label}.{name}": curve for label, own in found.curves.items() for name, curve in own.items()}
    axes = dict.fromkeys(numbers, ("image", "step"))
    return Picture("evidence_curves", title, caption, numbers, draw, subject_of(subject, found), axes)


def shares_of(metric: Any, curves: np.ndarray) -> np.ndarray:
    """The share of pixels that is changed at each point of a metric's curve."""
    if isinstance(metric, ROAD):
        return np.asarray(metric.percentages) / 100
    return np.linspace(0, metric.share if isinstance(metric, Curve) else 1, curves.shape[1])


def _measured(outcome: str) -> str:
    return {"correct": "share recognized"}.get(outcome, outcome.replace("_", " "))


def agreement_picture(subject: Subject, found: Found) -> Picture:
    """Every two metrics against each other, one mark per method, with their rank correlation."""
    evidence = found.evidence
    agreement = evidence.agreement()
    values: Mapping[str, np.ndarray] = {
        _headed(metric, better): evidence.means[:, j]
        for j, (metric, better) in enumerate(zip(evidence.metrics, evidence.better, strict=True))
    }
    title = _title(subject, "do the metrics agree?")
    caption = (
        "One mark per method, at its means. ρ is Spearman's rank correlation over methods, positive if both metrics "
    )
    caption += "find the same methods good."
    draw = partial(pairs, values, list(evidence.methods), agreement, title=title)
    rows = [
        {"metric": a, **{b: float(agreement[i, j]) for j, b in enumerate(evidence.metrics)}}
        for i, a in enumerate(evidence.metrics)
    ]
    return Picture("evidence_agreement", title, caption, rows, draw, subject_of(subject, found))
