"""The images of a page: some of each class, the most confident mistakes, and those that networks differ on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from cnnviz import probe
from cnnviz.networks import Net
from cnnviz.networks.probabilities import Probabilities, probabilities
from cnnviz.report.payload import shelf

OF_CLASSES, OF_MISTAKES, OF_DIFFERENCES = 24, 12, 12  # images of each kind on the shelf


def chosen(labels: Sequence[int], classes: int) -> list[int]:
    """The first images of each class in turn, at most OF_CLASSES of them."""
    places = [[i for i, label in enumerate(labels) if label == c] for c in range(classes)]
    turns = [own[turn] for turn in range(OF_CLASSES) for own in places if turn < len(own)]
    return turns[:OF_CLASSES]


def shelves(
    nets: Sequence[Net], images: UInt8[np.ndarray, "n ..."], labels: Int[np.ndarray, " n"], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The page's shelf: images with a title, a class and a group each."""
    found = {"Test images": [(i, "") for i in chosen(labels.tolist(), len(classes))]}
    answers = {net.name: _answers(net, images) for net in nets if net.class_count == len(classes) > 1}
    for name, own in answers.items():
        heading = "Confident mistakes" + (f" of {name}" if len(answers) > 1 else "")
        found[heading] = [(i, _taken(own[i], classes, name)) for i in mistakes(own, labels)]
    if len(answers) > 1:
        found["Where they differ"] = list(_different(answers, labels, classes))
    return [one for heading, which in found.items() for one in _shelf(heading, which, images, labels, classes)]


def _shelf(heading: str, which: Sequence[tuple[int, str]], images: Any, labels: Any, classes: Sequence[str]) -> Any:
    """Images by number, each with a remark."""
    places = [i for i, _ in which]
    titles = [f"test image {i}: {classes[labels[i]]}" + (f"; {said}" if said else "") for i, said in which]
    shown = shelf(images[places], titles, labels[places].tolist()) if which else []
    return [{**one, "group": heading, "number": i} for i, one in zip(places, shown, strict=True)]


def _answers(net: Net, images: UInt8[np.ndarray, "n ..."]) -> Probabilities:
    return probabilities(np.asarray(probe.logits(net.model, net.variables, images, prepare=net.prepare)), net.ending)


def mistakes(found: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> list[int]:
    """The images that have another class than the network says, the surest first, at most OF_MISTAKES."""
    wrong = np.flatnonzero(found.argmax(-1) != labels)
    return wrong[np.argsort(-found[wrong].max(-1), kind="stable")][:OF_MISTAKES].tolist()


def _different(answers: Mapping[str, Any], labels: Any, classes: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Images that the first network and the second have different answers for, the widest margin first."""
    (a, one), (b, other) = list(answers.items())[:2]
    rows = np.arange(len(labels))
    margin = np.abs(one[rows, labels] - other[rows, labels]) * (one.argmax(-1) != other.argmax(-1))
    for i in np.argsort(-margin, kind="stable")[:OF_DIFFERENCES].tolist():
        if margin[i] > 0:
            yield i, f"{_taken(one[i], classes, a)}; {_taken(other[i], classes, b)}"


def _taken(found: Any, classes: Sequence[str], name: str) -> str:
    return f"{name} says {classes[int(found.argmax())]}, {found.max():.0%}"
