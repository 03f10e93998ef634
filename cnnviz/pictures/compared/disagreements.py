"""The images that one network has right and another wrong, the widest margin first, with both probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnnviz.batching import Report
from cnnviz.comparison.compare import Compared
from cnnviz.comparison.disagreements import only_right
from cnnviz.data import Dataset
from cnnviz.figures.image import gallery
from cnnviz.networks import Net
from cnnviz.pictures.compared.options import OfImages
from cnnviz.pictures.compared.shared import answered
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, shown_channel, split_of
from cnnviz.pictures.slices import middle

MOST, MOST_OTHERS = 18, 3
SHORT = 10  # characters of a name that has room next to a probability


@dataclass(frozen=True)
class Disagreements(OfImages, Kind):
    """Images that the first network has right and another one wrong, and the other way around."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """Up to two pictures per network after the first, of up to three; raises Skipped where no answers differ."""
        found, dataset, notes = answered(networks, data, self.split, report)
        others = range(1, min(len(found.answers), 1 + MOST_OTHERS))
        pairs = [pair for other in others for pair in ((0, other), (other, 0))]
        drawn = [self._picture(found, dataset, *pair, notes) for pair in pairs]
        if not any(drawn):
            one = len(found.answers) == 1
            raise Skipped("One network alone has nothing to disagree with." if one else "No image tells them apart.")
        return [picture for picture in drawn if picture is not None]

    def _picture(self, found: Compared, dataset: Dataset, one: int, other: int, notes: str) -> Picture | None:
        a, b = found.answers[one], found.answers[other]
        which, margin = only_right(a, b)
        if not len(which):
            return None
        records = _records(found, one, other, which, margin)
        first = records[:MOST]
        names, which_is_which = _names(a.name, b.name, (_letter(one), _letter(other)))
        texts = [_text(record, names, self.split) for record in first]
        images = split_of(dataset, self.split).images[found.images[which[:MOST]]]
        title = f"{dataset.title}: {len(first)} of {len(which):,} images that {a.name} has right and {b.name} wrong"
        caption = (
            "The widest margin first, which is the true class's probability by the one less that by the other. Under "
            "each image: its class, the true class's probability by both networks, and what it was taken for."
            f"{which_is_which}"
        )
        if len(a.p) > 1 or len(b.p) > 1:
            caption += " Of several seeds the probabilities are means."
        caption += shown_channel(images[0]) + notes
        images, sliced = middle(images, 1) if images.ndim == 5 else (images, "")
        draw = partial(gallery, images, texts, title=title)
        subject = {"networks": [a.name, b.name], "dataset": dataset.name}
        name = f"{_letter(one)}_right_{_letter(other)}_wrong"
        return Picture(name, title, caption + sliced, records, draw, subject)


def _names(one: str, other: str, letters: tuple[str, str]) -> tuple[tuple[str, str], str]:
    """What both networks are called under an image, letters if a name is long, and a sentence that says so."""
    if max(len(one), len(other)) <= SHORT and " " not in one + other:
        return (one, other), ""
    return letters, f" Network {letters[0]} is {one}, and {letters[1]} is {other}."


def _letter(place: int) -> str:
    return chr(ord("a") + place)


def _records(found: Compared, one: int, other: int, which: np.ndarray, margin: np.ndarray) -> list[dict[str, object]]:
    a, b = (found.answers[place].mean for place in (one, other))
    name = lambda c: found.classes[c] if 0 <= c < len(found.classes) else "another class" if c >= 0 else "no answer"
    return [
        {
            "image": int(found.images[i]),
            "true": name(a.labels[i]),
            f"taken for by {b.name}": name(b.said[0, i]),
            f"probability by {a.name}": float(a.of_label[0, i]),
            f"probability by {b.name}": float(b.of_label[0, i]),
            "margin": float(gap),
        }
        for i, gap in zip(which.tolist(), margin.tolist(), strict=True)
    ]


def _text(record: dict[str, object], names: Sequence[str], split: str) -> str:
    image, true, taken, ours, theirs, _ = record.values()
    return f"{true}\n{ours:.0%} {names[0]}\n{theirs:.0%} {names[1]}\nas {taken}\n{split} {image}"
