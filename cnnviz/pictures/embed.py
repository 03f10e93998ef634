"""What a layer makes of many images, in two dimensions: which it holds for alike, and which classes it tells apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from cnnviz import units
from cnnviz.batching import Report
from cnnviz.figures.embedding import MOST_CLASSES, Cloud, embedding, most_frequent
from cnnviz.networks import Net
from cnnviz.pictures.choices import numbers_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Kind, Picture, size, split_of
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.unit_numbers import last_bend

USUAL = 3000  # images
NAMES = {"pca": "component", "umap": "UMAP", "tsne": "t-SNE"}


@dataclass(frozen=True)
class Embed(Kind):
    """A layer's code of a data set's images as points of a plane, colored by class: embed RUN --layer dense1."""

    NAMED: ClassVar[frozenset[str]] = frozenset(("layer", "split", "by"))

    layer: str | None = None
    """The layer, by name, kind or number; by default the last non-linearity."""
    by: str = "pca"
    """How the code gets two dimensions: pca, or umap or tsne, which need `pip install 'cnnviz[embed]'`."""
    images: str | None = None
    """The images of the split by number (0:500); by default the first 3000."""
    split: str = "test"
    """The split whose images are shown to the network: train or test."""
    seed: int = 0
    """The seed of UMAP and t-SNE, which draw at random."""
    neighbors: int = 15
    """How many neighbors of an image UMAP looks at: few show details, many the whole."""
    perplexity: float = 30.0
    """About how many neighbors of an image t-SNE looks at."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture per network, of several members the first one's; raises Skipped without a data set."""
        return [self.of(net.first, data, report) for net in networks]

    def of(self, net: Net, data: Data, report: Report | None = None) -> Picture:
        """The picture of one network; raises InputError as `units.embedding` does."""
        layer = last_bend(net) if self.layer is None else net.layer(self.layer).name
        dataset = data.of(net)
        every = split_of(dataset, self.split)
        places = self.places(net, len(every.images))
        images, labels = every.images[places], np.asarray(every.labels)[places]
        options = {"by": self.by, "seed": self.seed, "neighbors": self.neighbors, "perplexity": self.perplexity}
        found = units.embedding(net.model, net.variables, images, layer, **options, prepare=net.prepare, report=report)
        cloud = Cloud(found.points, images, labels, class_names(net, dataset, int(labels.max()) + 1))
        title = f"{net.title}: {len(images):,} {self.split} images by their code at {layer}"
        numbers = {"points": found.points, "labels": labels, "images": np.asarray(places)}
        if found.explained is not None:
            numbers["explained_variance"] = np.asarray(found.explained)
        draw = partial(embedding, cloud, axes_of(found), title=title)
        subject = {"network": net.name, "layer": layer, "dataset": dataset.name, "split": self.split}
        name = f"embed_{layer}" + (f"_{self.by}" if self.by != "pca" else "")
        axes = {"points": ("image", "axis"), "labels": ("image",), "images": ("image",)}
        return Picture(name, title, said(found, labels), numbers, draw, subject, axes)

    def places(self, net: Net, count: int) -> np.ndarray:
        """The numbers of the images; raises InputError for a text that is not one of numbers, or for none."""
        if self.images is None:
            return np.arange(min(USUAL, affordable(net, count)))
        return np.asarray(numbers_of(str(self.images), count))


def axes_of(found: units.Embedding) -> tuple[str, str]:
    """What the axes are called, principal components with their share of the variance."""
    name = NAMES[found.by]
    if found.explained is None:
        return f"{name} 1", f"{name} 2"
    first, second = (f"{name} {i}: {100 * share:.1f}% of the variance" for i, share in enumerate(found.explained, 1))
    return first, second


def said(found: units.Embedding, labels: np.ndarray) -> str:
    """The caption."""
    every = int(np.prod(found.shape))
    fewer = f", averaged to {found.features:,}" if found.features < every else ""
    of = f" ({size(found.shape)})" if len(found.shape) > 1 else ""
    words = [f"A point is an image, by the {every:,} numbers{of} of its code at {found.layer}{fewer}."]
    if found.explained is not None:
        words.append(
            f"Axes are principal components; the plane shows {100 * sum(found.explained):.1f}% of the code's variance."
        )
    else:
        words.append(f"{NAMES[found.by]} keeps neighbors together; distances between groups and the axes mean nothing.")
    words.append("Thumbnails are the images at the ends of each axis, the outermost first.")
    if (count := len(np.unique(labels))) > MOST_CLASSES:
        words.append(f"Of {count:,} classes the {len(most_frequent(labels))} with the most images have colors.")
    return " ".join(words)
