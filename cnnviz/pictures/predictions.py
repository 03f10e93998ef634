"""A network's predictions: for one image, over the test split, and its most confident mistakes."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Shaped

from cnnviz import probe
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.figures.bars import probabilities
from cnnviz.figures.confusion import NAMED, confusion
from cnnviz.figures.image import gallery
from cnnviz.networks import Net
from cnnviz.pictures.options import OfImage
from cnnviz.pictures.picture import Data, OneByOne, Picture, Sample, Skipped, sample
from cnnviz.pictures.slices import middle

MOST_BARS, MOST_MISTAKES = 20, 24

Probabilities = Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class Predictions(OfImage, OneByOne):
    """The class probabilities of an image, the confusion matrix of the test split, and its most confident mistakes."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """Up to three pictures; raises Skipped if the network has only one output."""
        dataset = data.of(net)
        one = sample_picture(net, dataset, sample(dataset, self.split, self.image))
        p = predict(net, dataset.test.images)
        return [one, confusion_picture(net, dataset, p), *mistakes_pictures(net, dataset, p)]


def predict(net: Net, images: Shaped[np.ndarray, "n *sides c"]) -> Probabilities:
    """The class probabilities `[n k]` of uint8 images; they are converted to floats in chunks, to save memory."""
    logits = probe.logits(net.model, net.variables, images, prepare=net.prepare)
    return softmax(np.asarray(logits, np.float64))


def softmax(logits: Float[np.ndarray, "n k"]) -> Probabilities:
    """The softmax over each row, computed without overflow."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def class_names(net: Net, dataset: Dataset, count: int) -> list[str]:
    """The run's class names, or else the data set's; numbers if neither has `count` names."""
    named = (list(names) for names in (net.classes, dataset.classes) if len(names) == count)
    return next(named, [str(number) for number in range(count)])


def sample_picture(net: Net, dataset: Dataset, shown: Sample) -> Picture:
    """One image and its class probabilities, at most the twenty most probable.

    Raises Skipped if the network has one output, InputError if it has fewer classes than the data set.
    """
    pixels, label = shown.pixels, shown.label
    p = predict(net, pixels[None])[0]
    if len(p) < 2:
        raise Skipped(f"{net.name} has one output, so there are no classes to tell apart.")
    if len(p) < len(dataset.classes):
        raise InputError(f"{net.name} tells {len(p)} classes apart; {dataset.name} has {len(dataset.classes)}.")
    names = class_names(net, dataset, len(p))
    order = np.arange(len(p)) if len(p) <= MOST_BARS else likeliest(p, label)
    title = f"{net.name} on {shown.title}: {names[p.argmax()]}, {p.max():.1%}"
    left_out = "" if len(order) == len(p) else f" Drawn are {len(order)} of {len(p)} classes, the likeliest first."
    caption = f"Class probabilities; the true class, {names[label]}, has {p[label]:.4f}.{left_out}"
    records = [{"class": name, "probability": float(p[i]), "true": i == label} for i, name in enumerate(names)]
    true = int(np.flatnonzero(order == label)[0])
    pixels, sliced = middle(pixels) if pixels.ndim == 4 else (pixels, "")
    draw = partial(probabilities, pixels, p[order], [names[i] for i in order], true=true, title=title)
    subject = {"network": net.name, "image": shown.subject}
    return Picture("probabilities", title, caption + sliced, records, draw, subject)


def likeliest(p: Float[np.ndarray, " k"], label: int) -> Int[np.ndarray, " most"]:
    """The twenty most probable classes, descending; the true class replaces the last if it is not one of them."""
    order = np.argsort(-p, kind="stable")[:MOST_BARS]
    return order if label in order else np.append(order[:-1], label)


def confusion_picture(net: Net, dataset: Dataset, p: Probabilities) -> Picture:
    """The confusion matrix of the test split: true against predicted classes."""
    labels, k = dataset.test.labels, p.shape[1]
    counts = np.bincount(labels * k + p.argmax(axis=1), minlength=k * k).reshape(k, k)
    accuracy = np.trace(counts) / len(labels)
    names = class_names(net, dataset, k)
    title = f"{net.name} on {dataset.title}: confusion matrix, test accuracy {accuracy:.4f}"
    caption = f"{np.trace(counts):,} of {len(labels):,} test images are right. {worst(counts, names)}"
    if k > NAMED:
        caption += f" Of {k:,} classes, the numbers are shown, not the names and counts."
    numbers = {"classes": names, "accuracy": float(accuracy), "counts": counts.tolist()}
    draw = partial(confusion, counts, names, title=title)
    return Picture("confusion", title, caption, numbers, draw, {"network": net.name})


def worst(counts: Int[np.ndarray, "k k"], names: list[str]) -> str:
    """A sentence on the most frequent confusion of two classes."""
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    true, said = np.unravel_index(wrong.argmax(), wrong.shape)
    if not wrong.any():
        return "None is wrong."
    share = f"{wrong[true, said]:,} of {counts[true].sum():,}"
    return f"The commonest mistake: {share} {names[true]} are taken for {names[said]}."


def mistakes_pictures(net: Net, dataset: Dataset, p: Probabilities) -> list[Picture]:
    """The misclassified test images with the highest probability; an empty list if no image is misclassified."""
    said, labels = p.argmax(axis=1), dataset.test.labels
    wrong = np.flatnonzero(said != labels)
    if not len(wrong):
        return []
    first = wrong[np.argsort(-p[wrong, said[wrong]], kind="stable")][:MOST_MISTAKES]
    names = class_names(net, dataset, p.shape[1])
    records = [
        {"image": int(i), "true": names[labels[i]], "predicted": names[said[i]], "probability": float(p[i, said[i]])}
        for i in first
    ]
    title = f"{net.name} on {dataset.title}: the {len(first)} most confident of {len(wrong):,} mistakes"
    caption = "Each with the class it was taken for and with what probability, its true class, and its number in test."
    texts = [f"{r['predicted']} {r['probability']:.1%}\ntrue: {r['true']}\ntest {r['image']}" for r in records]
    images = dataset.test.images[first]
    images, sliced = middle(images, 1) if images.ndim == 5 else (images, "")
    draw = partial(gallery, images, texts, title=title)
    return [Picture("mistakes", title, caption + sliced, records, draw, {"network": net.name})]
