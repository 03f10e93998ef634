"""Whether networks know how sure they are: reliability diagrams, and the calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnnviz.batching import Report
from cnnviz.comparison.answers import Answers
from cnnviz.comparison.calibration import BINS, Reliability
from cnnviz.comparison.calibration import reliability as bins_of
from cnnviz.figures.reliability import Panel, reliability
from cnnviz.networks import Net
from cnnviz.pictures.compared.options import OfImages
from cnnviz.pictures.compared.shared import answered
from cnnviz.pictures.picture import Data, Kind, Picture

MOST = 8  # panels


@dataclass(frozen=True)
class Calibration(OfImages, Kind):
    """Accuracy against confidence, with the images of each bin."""

    bins: int = BINS
    """The number of bins of equal width that the calibration error has."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One reliability diagram per network, of the first eight; raises as `answered`."""
        found, dataset, notes = answered(networks, data, self.split, report)
        each = {one.name: _members(one, self.bins) for one in found.answers}
        title = f"Reliability on the {len(found.images):,} {self.split} images of {dataset.title}"
        panels = {name: _panel(its) for name, its in list(each.items())[:MOST]}
        caption = (
            f"Accuracy of the images in each of {self.bins} bins of confidence, the probability of the predicted "
            "class; on the dotted line a network is calibrated, below it overconfident. Beneath it the share of all "
            "images. ECE is the calibration error, the mean distance from the line."
        )
        if any(len(its) > 1 for its in each.values()):
            caption += " Of several seeds the line is the mean, and each seed a thin line."
        if len(each) > MOST:
            caption += f" Drawn are the first {MOST} of {len(each)} networks."
        subject = {"networks": list(each), "dataset": dataset.name}
        draw = partial(reliability, panels, title=title)
        return [Picture("reliability", title, caption + notes, _records(each, found.answers), draw, subject)]


def _members(one: Answers, bins: int) -> list[Reliability]:
    return [bins_of(p, right, bins) for p, right in zip(one.confidence, one.right, strict=True)]


def _panel(its: Sequence[Reliability]) -> Panel:
    images = np.mean([each.images for each in its], axis=0)
    ece = np.array([each.ece for each in its])
    deviation = f" ± {ece.std(ddof=1):.4f}" if len(ece) > 1 else ""
    text = f"ECE {ece.mean():.4f}{deviation}" if np.isfinite(ece).all() else "no outputs"
    accuracy, confidence = (np.stack([getattr(each, name) for each in its]) for name in ("accuracy", "confidence"))
    return Panel(accuracy, confidence, images / max(1.0, images.sum()), text)


def _records(each: dict[str, list[Reliability]], answers: Sequence[Answers]) -> list[dict[str, object]]:
    """One record per network, member and bin."""
    return [
        {
            "network": one.name,
            "seed": one.seeds[place] if place < len(one.seeds) else "",
            "bin from": float(its.edges[i]),
            "bin to": float(its.edges[i + 1]),
            "images": int(its.images[i]),
            "accuracy": float(its.accuracy[i]),
            "confidence": float(its.confidence[i]),
        }
        for one in answers
        for place, its in enumerate(each[one.name])
        for i in range(len(its.images))
    ]
