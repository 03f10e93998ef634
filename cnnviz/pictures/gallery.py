"""A data set as a notebook shows it: an image of each class."""

from base64 import b64encode
from html import escape

import numpy as np

from cnnviz.data import Dataset
from cnnviz.figures.files import encoded
from cnnviz.figures.image import gallery
from cnnviz.figures.printable import printable
from cnnviz.figures.style import shortened

MOST, LONGEST = 24, 20  # classes, and characters of a class name


def of_classes(dataset: Dataset) -> str:
    """The first training image of each of the first classes as an HTML image, with the numbers of its images."""
    train, test = dataset.train, dataset.test
    counts = [np.bincount(part.labels, minlength=len(dataset.classes)) for part in (train, test)]
    shown = [label for label in range(len(dataset.classes)) if counts[0][label]][:MOST]
    images = train.images[[int(np.argmax(train.labels == label)) for label in shown]]
    name = lambda label: shortened(dataset.classes[label], LONGEST)
    texts = [f"{name(label)}\n{counts[0][label]:,} train\n{counts[1][label]:,} test" for label in shown]
    title = f"{dataset.title}: {len(shown)} of {len(dataset.classes)} classes"
    png = encoded(gallery(images, texts, title=title), "png", title, "The first training image of each class.", 100)
    return f'<img alt="{escape(printable(title))}" src="data:image/png;base64,{b64encode(png).decode()}">'
