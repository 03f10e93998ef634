"""How similar every layer of the first network is to every layer of another, with what chance and a seed would give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnnviz.batching import Report, evenly_spaced, part
from cnnviz.comparison.measures import MEASURES
from cnnviz.comparison.measures.measure import LEAST
from cnnviz.comparison.seeds import Seeds, similarity_of_seeds
from cnnviz.comparison.similarity import Similarity as Found
from cnnviz.comparison.similarity import similarity
from cnnviz.data import Dataset
from cnnviz.errors import unknown
from cnnviz.errors.ranges import check_range
from cnnviz.figures.layer_pairs import layer_pairs
from cnnviz.figures.scales import Scale, symmetric
from cnnviz.networks import Net
from cnnviz.pictures.compared.options import OfImages
from cnnviz.pictures.compared.shared import shared
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, split_of

NEGATIVE = -0.05  # from here on a scale around zero
WORDS = {
    "linear_cka": "linear CKA",
    "rbf_cka": "RBF CKA",
    "debiased_cka": "debiased CKA",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
    "procrustes": "Procrustes similarity",
    "mutual_knn": "shared nearest neighbors",
    "rsa": "RSA",
}


@dataclass(frozen=True)
class Similarity(OfImages, OfLayer, Kind):
    """The similarity of all layers of the first network with all layers of each other one, and of seeds."""

    measure: str = "debiased_cka"
    """How layers are compared: debiased_cka, linear_cka, rbf_cka, svcca, pwcca, procrustes, mutual_knn or rsa."""
    among: int = 2000
    """The number of images that layers are compared on, evenly spaced in the split."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture per network after the first, and one per network of several seeds; raises as `shared`.

        Raises InputError for an unknown measure and for too few images.
        """
        if self.measure not in MEASURES:
            raise unknown("measure of similarity", self.measure, MEASURES)
        able, dataset, said = shared(networks, data)
        several = [net for net in able if len(net.members) > 1]
        if len(able) + len(several) < 2:
            raise Skipped(f"{able[0].name} is one network of one seed, so there is nothing to compare it with.{said}")
        images, note = self._images(able, dataset)
        drawn, parts = [], len(able) - 1 + len(several)
        for place, other in enumerate(able[1:]):
            own = part(report, place, parts, other.name)
            found = similarity(able[0], other, images, self.measure, layers=self.layer, report=own)
            name = f"similarity_a_{_letter(place + 1)}"
            drawn.append(_of_pair(name, found, able[0], other, dataset, note + said))
        for place, net in enumerate(several):
            own = part(report, len(able) - 1 + place, parts, f"seeds of {net.name}")
            seeds = similarity_of_seeds(net, images, self.measure, layers=self.layer, report=own)
            name = f"similarity_seeds_{_letter(able.index(net))}"
            drawn.append(_of_seeds(name, seeds, net, dataset, note + said))
        return drawn

    def _images(self, nets: Sequence[Net], dataset: Dataset) -> tuple[np.ndarray, str]:
        """The images, and a sentence on which they are."""
        check_range("among", self.among)
        every = split_of(dataset, self.split).images
        if len(every) < LEAST:
            raise Skipped(f"{dataset.title} has {len(every)} {self.split} images, and a similarity needs {LEAST}.")
        most = min(affordable(net, len(every), len(net.members)) for net in nets)
        count = min(self.among, most, len(every))
        what = "all" if count == len(every) else f"{count:,} of the"
        taken = evenly_spaced(len(every), count)
        return every[taken], f" On {what} {len(every):,} {self.split} images of {dataset.title}."


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"n{place}"


def _of_pair(name: str, found: Found, a: Net, b: Net, dataset: Dataset, note: str) -> Picture:
    word = WORDS[found.measure]
    title = f"{_begun(word)} of the layers of {a.name} and {b.name}"
    marked = np.array([[one == other for other in found.columns] for one in found.rows])
    strips = {"null": found.null.max(axis=1)}
    if found.ceiling is not None:
        strips["ceiling"] = np.diagonal(found.ceiling)
    caption = (
        f"Each layer of {a.name} with each of {b.name}; 1 is the same but for {_but_for(found.measure)}. "
        f"{_on_marks(marked)} Null: the most that the row's layer reaches with the images of {b.name} shuffled, so by "
        f"chance. {_on_ceiling(found, a)} {found.how}{note}"
    )
    scale = _scale(found.values, *strips.values())
    draw = partial(
        layer_pairs, found.values, found.rows, found.columns, strips, scale, marked=marked, names=(a.name, b.name),
        label=word, title=title,
    )  # fmt: skip
    numbers = [
        {"measure": found.measure, "what": what, "a": one, "b": other, "layer of a": l, "layer of b": m, "value": v}
        for what, one, other, matrix in _matrices(found, a, b)
        for (l, m), v in _cells(matrix, found.rows, found.columns if other == b.name else found.rows)
    ]
    caption += _on_same(found, a, b) + _on_left_out(found, a, b) + _on_negative(found.values)
    subject = {"networks": [a.name, b.name], "dataset": dataset.name, "measure": found.measure}
    return Picture(name, title, caption, numbers, draw, subject, table=_table(found, a, b))


def _of_seeds(name: str, found: Seeds, net: Net, dataset: Dataset, note: str) -> Picture:
    word, pairs = WORDS[found.measure], len(found.values)
    title = f"{_begun(word)} of the layers of {len(net.members)} seeds of {net.name}"
    strips = {"mean": np.diagonal(found.mean)}
    if pairs > 1:
        strips["± dev."] = np.diagonal(found.deviation)
    what = f"{pairs} pairs of seeds" if pairs > 1 else "the pair of seeds"
    caption = (
        f"Each layer with each of another seed of {net.name}, the mean over {what}. Framed is the same layer, whose "
        f"mean{' and standard deviation over pairs are' if pairs > 1 else ' is'} printed next to it.{note}"
    )
    if found.left_out:
        caption += f" Left out, the same for all images in some seed: {', '.join(found.left_out)}."
    scale = _scale(found.mean, *strips.values())
    marked = np.eye(len(found.layers), dtype=bool)
    draw = partial(
        layer_pairs, found.mean, found.layers, found.layers, strips, scale, marked=marked,
        names=("one seed", "another seed"), label=word, title=title,
    )  # fmt: skip
    cells = zip(_cells(found.mean, *[found.layers] * 2), found.deviation.ravel().tolist(), strict=True)
    numbers = [
        {"measure": found.measure, "network": net.name, "layer": l, "layer of another seed": m, "pairs": pairs,
         "mean": mean, "deviation": deviation}
        for ((l, m), mean), deviation in cells
    ]  # fmt: skip
    rows = [row for row in numbers if row["layer"] == row["layer of another seed"]]
    table = [{key: row[key] for key in ("network", "layer", "mean", "deviation")} for row in rows]
    subject = {"networks": [net.name], "dataset": dataset.name, "measure": found.measure}
    return Picture(name, title, caption + _on_negative(found.mean), numbers, draw, subject, table=table)


def _matrices(found: Found, a: Net, b: Net) -> list[tuple[str, str, str, np.ndarray]]:
    every = [("similarity", a.name, b.name, found.values), ("null", a.name, b.name, found.null)]
    ceiling = found.ceiling
    return every + ([("ceiling", a.name, f"another seed of {a.name}", ceiling)] if ceiling is not None else [])


def _cells(matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> list[tuple[tuple[str, str], float]]:
    pairs = [(row, column) for row in rows for column in columns]
    return list(zip(pairs, matrix.ravel().tolist(), strict=True))


def _table(found: Found, a: Net, b: Net) -> list[dict[str, object]]:
    """Per layer of the first network: its namesake, the most similar layer, and both references."""
    rows = []
    for i, layer in enumerate(found.rows):
        best = int(np.nanargmax(found.values[i]))
        same = found.values[i, found.columns.index(layer)] if layer in found.columns else np.nan
        row: dict[str, object] = {"layer": layer, f"same in {b.name}": float(same), "most similar": found.columns[best]}
        row |= {"its similarity": float(found.values[i, best]), "null": float(found.null[i].max())}
        rows.append(row | ({"ceiling": float(found.ceiling[i, i])} if found.ceiling is not None else {}))
    return rows


def _scale(*values: np.ndarray) -> Scale:
    every = np.concatenate([np.ravel(each) for each in values])
    return symmetric(1.0) if np.nanmin(every) < NEGATIVE else Scale(0.0, 1.0)


def _begun(word: str) -> str:
    return word[0].upper() + word[1:]


def _but_for(measure: str) -> str:
    words = {"orthogonal": "a rotation"}
    *first, last = (words.get(each, each) for each in MEASURES[measure].invariant_to)
    return f"{', '.join(first)} and {last}" if first else last


def _on_marks(marked: np.ndarray) -> str:
    return "Framed are layers of one name." if marked.any() else "No two layers have one name."


def _on_ceiling(found: Found, a: Net) -> str:
    if found.ceiling is None:
        return f"{a.name} is one seed, so no ceiling says what another seed of it would reach."
    return f"Ceiling: what the row's layer reaches with itself in another seed of {a.name}."


def _on_same(found: Found, a: Net, b: Net) -> str:
    return f" {a.name} and {b.name} are exactly the same network, so each layer with itself is 1." if found.same else ""


def _on_left_out(found: Found, a: Net, b: Net) -> str:
    names: Mapping[str, str] = {"a": a.name, "b": b.name}
    said = ", ".join(f"{layer} of {names[network]}" for network, layer in found.left_out)
    return f" Left out, the same for all images: {said}." if said else ""


def _on_negative(values: np.ndarray) -> str:
    least = float(np.nanmin(values))
    return f" The least value is {least:.3f}, which has the color of 0." if NEGATIVE <= least < 0 else ""
