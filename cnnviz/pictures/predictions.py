"""A network's predictions: for one image, over the test split, and its most confident mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Shaped

from cnnviz import probe
from cnnviz.batching import Report
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.bars import probabilities
from cnnviz.figures.confusion import NAMED, confusion
from cnnviz.figures.image import gallery
from cnnviz.figures.style import shortened
from cnnviz.networks import Net
from cnnviz.networks.probabilities import Probabilities
from cnnviz.networks.probabilities import probabilities as probabilities_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.finite import with_parameters_said
from cnnviz.pictures.options import OfImage
from cnnviz.pictures.picture import Data, Kind, Picture, Sample, Skipped, shown_channel
from cnnviz.pictures.samples import each, known, samples
from cnnviz.pictures.slices import middle

MOST_BARS, MOST_MISTAKES, MOST_COUNTS = 20, 24, 1000
NAME = 60  # characters of a class name in a caption

Counts = Int[np.ndarray, "k k"]


@dataclass(frozen=True)
class Predictions(OfImage, Kind):
    """The class probabilities of an image, the confusion matrix of the test split, and its most confident mistakes."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """One picture per image, and up to two of the test split if there is a data set.

        Raises Skipped if the network has only one output.
        """
        shown = samples(self, net, data)
        found = each(shown, lambda one: [sample_picture(net, known(data), one)])
        if known(data) is None and all(one.label is None for one in shown):
            return with_parameters_said(found, net)
        dataset = data.of(net)
        p = predict(net, dataset.test.images[: affordable(net, len(dataset.test.images))], report)
        drawn = [*found, confusion_picture(net, dataset, p), *mistakes_pictures(net, dataset, p)]
        return with_parameters_said(drawn, net)


def predict(net: Net, images: Shaped[np.ndarray, "n *sides c"], report: Report | None = None) -> Probabilities:
    """The class probabilities `[n k]` of uint8 images; they are converted to floats in chunks, to save memory."""
    logits = probe.logits(net.model, net.variables, images, prepare=net.prepare, report=report)
    return probabilities_of(np.asarray(logits), net.ending)


def class_names(net: Net, dataset: Dataset | None, count: int) -> list[str]:
    """The run's class names, or else the data set's; numbers if neither has `count` names."""
    theirs = () if dataset is None else dataset.classes
    named = (list(names) for names in (net.classes, theirs) if len(names) == count)
    return next(named, [str(number) for number in range(count)])


def likelihoods(net: Net, dataset: Dataset | None, pixels: Shaped[np.ndarray, "*sides c"]) -> Float[np.ndarray, " k"]:
    """The class probabilities of one image.

    Raises Skipped if the network has one output, InputError if it has fewer classes than the data set.
    """
    p = predict(net, pixels[None])[0]
    if len(p) < 2:
        raise Skipped(f"{net.name} has one output, so there are no classes to tell apart.")
    if dataset is not None and len(p) < len(dataset.classes):
        raise InputError(f"{net.name} tells {len(p)} classes apart; {dataset.name} has {len(dataset.classes)}.")
    return p


def headline(net: Net, shown: Sample, p: Float[np.ndarray, " k"], names: Sequence[str]) -> str:
    """The title of a picture of one prediction: the likeliest class and its probability."""
    said = f"{names[int(p.argmax())]}, {p.max():.1%}" if np.isfinite(p).all() else "no prediction"
    return f"{net.name} on {shown.title}: {said}"


def apart(net: Net, count: int) -> str:
    """A sentence for a caption, if each of several classes has a probability of its own; else empty."""
    own = net.ending == "sigmoid" and count > 2
    return " Each class has its own probability, from a sigmoid." if own else ""


def sample_picture(net: Net, dataset: Dataset | None, shown: Sample) -> Picture:
    """One image and its class probabilities, at most the twenty most probable; raises as `likelihoods` does."""
    pixels, label = shown.pixels, shown.label
    p = likelihoods(net, dataset, pixels)
    names = class_names(net, dataset, len(p))
    order = np.arange(len(p)) if len(p) <= MOST_BARS else likeliest(p, label)
    title = headline(net, shown, p, names)
    left_out = "" if len(order) == len(p) else f" Drawn are {len(order)} of {len(p)} classes, the likeliest first."
    true_name = "" if label is None else shortened(names[label], NAME)
    of_true = "" if label is None else f"; the true class, {true_name}, has {p[label]:.4f}"
    caption = f"Class probabilities{of_true}.{apart(net, len(p))}{left_out}"
    if not np.isfinite(p).all():
        caption = "Outputs are NaN or infinite, so there are no class probabilities"
        caption += f"; the true class is {true_name}." if true_name else "."
    records = [{"class": name, "probability": float(p[i]), "true": i == label} for i, name in enumerate(names)]
    true = None if label is None else int(np.flatnonzero(order == label)[0])
    caption += shown_channel(pixels)
    pixels, sliced = middle(pixels) if pixels.ndim == 4 else (pixels, "")
    draw = partial(probabilities, pixels, p[order], [names[i] for i in order], true=true, title=title)
    subject = {"network": net.name, "image": shown.subject}
    return Picture("probabilities", title, caption + sliced, records, draw, subject)


def likeliest(p: Float[np.ndarray, " k"], label: int | None) -> Int[np.ndarray, " most"]:
    """The twenty most probable classes, descending; the true class replaces the last if it is not one of them."""
    order = np.argsort(-p, kind="stable")[:MOST_BARS]
    return order if label is None or label in order else np.append(order[:-1], label)


def confusion_picture(net: Net, dataset: Dataset, p: Probabilities, split: str = "test") -> Picture:
    """The confusion matrix of the test split, or of its first images: true against predicted classes, at most 50.

    `split` is what the title calls it; "all" are those of every split.

    Images whose outputs are NaN or infinite count as wrong and are not in the matrix.
    """
    known, count, k = np.isfinite(p).all(axis=1), len(p), p.shape[1]
    labels, said, names = dataset.test.labels[:count][known], p.argmax(axis=1)[known], class_names(net, dataset, k)
    right, every = int((said == labels).sum()), len(dataset.test.labels)
    some = f" of the first {count:,} of {every:,} images" if count < every else ""
    word = "" if split == "all" else f"{split} "
    title = f"{net.name} on {dataset.title}: confusion matrix, {word}accuracy {right / count:.4f}{some}"
    are = "is" if right == 1 else "are"
    caption = f"{right:,} of {counted(count, f'{word}image')} {are} right. {worst(labels, said, names)}".rstrip()
    if some:
        caption += f" Only the first {count:,} were shown to this large network, since all would take hours."
    if unknown := count - len(labels):
        caption += f" The outputs for {unknown:,} are NaN or infinite; they are wrong, and not in the matrix."
    drawn = most_confused(labels, said, k)
    if len(drawn) < k:
        caption += f" Drawn are the {len(drawn)} of {k:,} classes with the most mistakes, in order."
    kept = drawn if k > MOST_COUNTS else np.arange(k)
    counts = counts_of(labels, said, kept, k)
    numbers = {"classes": [names[i] for i in kept], "accuracy": right / count, "counts": counts.tolist()}
    named = [names[i] if len(drawn) == k else f"{i}: {names[i]}" for i in drawn]
    shown = counts_of(labels, said, drawn, k), named, np.bincount(labels, minlength=k)[drawn]
    table = [{"data set": dataset.title, f"{word}images": f"{count:,}", "right": f"{right:,}"}]
    table[0][f"{word}accuracy"] = f"{right / count:.4f}"
    draw = partial(confusion, *shown, numbers=drawn.tolist(), title=title)
    return Picture("confusion", title, caption, numbers, draw, _of(net, dataset, split), table=table)


def _of(net: Net, dataset: Dataset, split: str) -> dict[str, str]:
    return {"network": net.name, "dataset": dataset.name, "split": split}


def most_confused(labels: Int[np.ndarray, " n"], said: Int[np.ndarray, " n"], k: int) -> Int[np.ndarray, " drawn"]:
    """The classes that a matrix can name, in order: those with the most images missed or wrongly taken for them."""
    wrong = labels != said
    errors = np.bincount(labels[wrong], minlength=k) + np.bincount(said[wrong], minlength=k)
    return np.sort(np.argsort(-errors, kind="stable")[:NAMED])


def counts_of(
    labels: Int[np.ndarray, " n"], said: Int[np.ndarray, " n"], classes: Int[np.ndarray, " some"], k: int
) -> Counts:
    """How many images of each of these classes are taken for each of them."""
    place = np.full(k, -1)
    place[classes] = np.arange(len(classes))
    rows, columns = place[labels], place[said]
    both, size = (rows >= 0) & (columns >= 0), len(classes)
    return np.bincount(rows[both] * size + columns[both], minlength=size * size).reshape(size, size)


def worst(labels: Int[np.ndarray, " n"], said: Int[np.ndarray, " n"], names: Sequence[str]) -> str:
    """A sentence on the most frequent confusion of two classes; empty without images."""
    wrong = labels != said
    if not wrong.any():
        return "None is wrong." if len(labels) else ""
    pairs, counts = np.unique(np.stack([labels[wrong], said[wrong]]), axis=1, return_counts=True)
    true, taken = map(int, pairs[:, counts.argmax()])
    share = f"{counts.max():,} of {(labels == true).sum():,}"
    one, other = shortened(names[true], NAME), shortened(names[taken], NAME)
    return f"The commonest mistake: {share} {one} are taken for {other}."


def _most_confident(shown: int, every: int) -> str:
    return f"the {shown} most confident of {every:,} mistakes" if every > 1 else "the only mistake"


def mistakes_pictures(net: Net, dataset: Dataset, p: Probabilities) -> list[Picture]:
    """The misclassified test images with the highest probability; an empty list if no image is misclassified.

    Images whose outputs are NaN or infinite are left out.
    """
    said, labels = p.argmax(axis=1), dataset.test.labels[: len(p)]
    wrong = np.flatnonzero((said != labels) & np.isfinite(p).all(axis=1))
    if not len(wrong):
        return []
    first = wrong[np.argsort(-p[wrong, said[wrong]], kind="stable")][:MOST_MISTAKES]
    names = class_names(net, dataset, p.shape[1])
    records = [
        {"image": int(i), "true": names[labels[i]], "predicted": names[said[i]], "probability": float(p[i, said[i]])}
        for i in first
    ]
    title = f"{net.name} on {dataset.title}: {_most_confident(len(first), len(wrong))}"
    caption = "Each with the class it was taken for and with what probability, its true class, and its number in test."
    texts = [f"{r['predicted']} {r['probability']:.1%}\ntrue: {r['true']}\ntest {r['image']}" for r in records]
    images = dataset.test.images[first]
    caption += shown_channel(images[0]) if len(images) else ""
    images, sliced = middle(images, 1) if images.ndim == 5 else (images, "")
    draw = partial(gallery, images, texts, title=title)
    return [Picture("mistakes", title, caption + sliced, records, draw, _of(net, dataset, "test"))]
