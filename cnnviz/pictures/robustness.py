"""How much of a network's accuracy is left when its images are changed: against it, or by accident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Bool, Float

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.batching import Report, part
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.attributions import attributions
from cnnviz.figures.bands import Band, bands
from cnnviz.metrics.attacks.norms import NORMS
from cnnviz.metrics.attacks.run import attacked
from cnnviz.metrics.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from cnnviz.networks import Net
from cnnviz.networks.measures import interval
from cnnviz.pictures.attribute import Attributions
from cnnviz.pictures.attribution_page import Explained, columns_of, left_out_words, named_fault
from cnnviz.pictures.choices import levels_of, numbers_of
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, shown_channel, split_of
from cnnviz.pictures.predictions import class_names, predict

USUAL = "integrated_gradients,grad_cam,smooth_grad:samples=20"
PASSES = 3 * (30 * 10 + 2 * 7 * 20)  # about what the attacks evaluate the network for one image
SYMBOLS = {"linf": "L∞", "l2": "L2"}
LENGTHS = {"linf": "largest change of a value (range 1)", "l2": "length of the change (a value's range is 1)"}
BESIDE = 4  # images that are drawn beside their adversarial ones


@dataclass(frozen=True)
class Robustness(Kind):
    """How accurate the network stays if its images are attacked, and if they are corrupted."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {"methods"}

    FIRST: ClassVar[str] = "0:100"

    images: str | None = None
    """The images by number (0:500; 3,5,9), by default the first hundred."""
    split: str = "test"
    """The split that they are from: train or test."""
    epsilons: str = "0.01,0.02,0.04,0.06,0.08,0.1"
    """The largest changes of a value that attacks may make, as shares of its range. The length of a change in l2 is
    at most half of that times the root of the number of values."""
    steps: int = 20
    """Steps of projected gradient descent."""
    methods: str = USUAL
    """The methods whose maps are drawn of clean and adversarial images, as for attribute."""
    epsilon: float = 0.1
    """The largest change of a value in the adversarial images that are drawn."""
    seed: int = 0
    """The key of everything that is drawn at random."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """Accuracy against epsilon, accuracy by corruption, and adversarial images with their maps.

        Raises Skipped without a data set or classes, or for inputs that are not pictures; InputError for an option.
        """
        levels_of(self.epsilons, self.epsilon)
        dataset = data.of(net)
        if net.class_count < 2:
            raise Skipped(f"{net.name} has one output, so there are no classes to be right about.")
        split = split_of(dataset, self.split)
        if self.images is None:
            places = [*range(len(split.images))][: affordable(net, 100, PASSES)]
        else:
            places = numbers_of(self.images or self.FIRST, len(split.images))
        given = Attacked(self, net, dataset, places, split.images[places], np.asarray(split.labels)[places])
        beside = [given.beside()] if given.clean.any() else []  # the first, as its methods may not apply
        return [given.curves(part(report, 0, 3)), given.corruptions(part(report, 1, 3)), *beside]


@dataclass(frozen=True)
class Attacked:
    """The images of a network and what attacks make of them."""

    asked: Robustness
    net: Net
    dataset: Dataset
    places: list[int]
    pixels: np.ndarray
    labels: np.ndarray

    @cached_property
    def inputs(self) -> Any:
        """The images as the network takes them."""
        return self.net.prepare(self.pixels)

    @cached_property
    def clean(self) -> Bool[np.ndarray, " n"]:
        """Whether the network is right about each image as it is."""
        return self.right(self.pixels)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest value of the network's input."""
        channels = self.pixels.shape[-1]
        ends = [np.asarray(self.net.prepare(np.full((1, 1, channels), end, np.uint8))) for end in (0, 255)]
        return float(ends[0].min()), float(ends[1].max())

    def right(self, images: Any) -> Bool[np.ndarray, " n"]:
        """Whether the network is right about each of these inputs or, as uint8, images."""
        if np.asarray(images).dtype == np.uint8:
            return predict(self.net, images).argmax(-1) == self.labels
        return np.asarray(probe.logits(self.net.model, self.net.variables, images)).argmax(-1) == self.labels

    def attack(self, name: str, share: float | None, norm: str, **options: Any) -> Any:
        """The attacked inputs; `share` is the largest change as a share of a value's range."""
        low, high = self.range
        epsilon = None if share is None else self.length(share, norm) * (high - low)
        given = self.net.model, self.net.variables, self.inputs, self.labels
        key = jax.random.key(self.asked.seed)
        return attacked(name, *given, epsilon, key=key, norm=norm, low=low, high=high, **options)

    def length(self, share: float, norm: str) -> float:
        """The norm of the largest change, in ranges of a value."""
        return share if norm == "linf" else 0.5 * share * float(np.sqrt(self.pixels[0].size))

    def curves(self, report: Report | None) -> Picture:
        """Accuracy against epsilon for each attack and norm."""
        levels, panels, numbers = levels_of(self.asked.epsilons, self.asked.epsilon), {}, {}
        clean = self.clean
        for place, norm in enumerate(NORMS):
            told = part(report, place, len(NORMS), norm)
            rights = {
                "fgsm": [self.right(self.attack("fgsm", share, norm)) for share in levels],
                "pgd": [self.right(self.attack("pgd", share, norm, steps=self.asked.steps)) for share in levels],
                "minimal": self._beyond(norm, levels, clean, told),
            }
            panels[norm] = {name: band([clean, *found]) for name, found in rights.items()}
            numbers |= {f"{norm}.{name}": np.stack([clean, *found]) for name, found in rights.items()}
            numbers[f"{norm}.epsilon"] = np.array([0.0, *(self.length(share, norm) for share in levels)])
        shares = {norm: numbers[f"{norm}.epsilon"] for norm in NORMS}
        title = self.title("accuracy under attack")
        caption = (
            "The share of images whose class is still recognized, with Wilson's 95% interval, against the largest "
            f"change. fgsm is one step along the gradient, pgd {self.asked.steps} with projection from a random start, "
            "and minimal DeepFool, which looks for the smallest change that changes the answer. All are upper bounds "
            "of the accuracy under the worst change. Changed values stay within the range of pixels."
        )
        draw = partial(_by_length, panels, shares, title=title)
        return Picture(
            "robustness", title, caption, numbers, draw, self.subject | {"method": ["fgsm", "pgd", "minimal"]}
        )

    def _beyond(self, norm: str, levels: Sequence[float], clean: Any, report: Report | None) -> list[Any]:
        """Whether the smallest change found is longer than each level, of images that were right."""
        low, high = self.range
        found = self.attack("minimal", None, norm, report=report)
        change = np.asarray(found - self.inputs).reshape(len(self.pixels), -1) / (high - low)
        length = abs(change).max(1) if norm == "linf" else np.sqrt(np.square(change).sum(1))
        length = np.where(self.right(found), np.inf, length)  # the answer did not change
        return [clean & (length > self.length(share, norm)) for share in levels]

    def corruptions(self, report: Report | None) -> Picture:
        """Accuracy by severity for each corruption."""
        rights: dict[str, list[Any]] = {}
        for place, name in enumerate(CORRUPTIONS):
            change = partial(corrupted, name, self.pixels, numbers=self.places, seed=self.asked.seed)
            rights[name] = [self.clean, *(self.right(change(severity)) for severity in SEVERITIES)]
            if told := part(report, place, len(CORRUPTIONS), name):
                told(1, 1)
        title = self.title("accuracy under corruption")
        caption = (
            "The share of images whose class is still recognized, with Wilson's 95% interval, by the severity of the "
            "corruption; 0 is the clean image. Noise, blur and contrast as in CIFAR-10-C, in proportion to the image; "
            "shifts are by whole pixels along both sides."
        )
        severities = np.array([0, *SEVERITIES], float)
        lines = {name: band(found) for name, found in rights.items()}
        draw = partial(bands, {"": lines}, {"": severities}, {"": "accuracy"}, across="severity", title=title)
        numbers = {name: np.stack(found) for name, found in rights.items()} | {"severity": severities}
        return Picture("robustness_corruptions", title, caption, numbers, draw, self.subject)

    def beside(self) -> Picture:
        """The first images that the network is right about, each above its adversarial one, with the maps of both."""
        asked, names = self.asked, class_names(self.net, self.dataset, self.net.class_count)
        shown = np.flatnonzero(self.clean)[:BESIDE]
        few = Attacked(
            asked, self.net, self.dataset, [self.places[i] for i in shown], self.pixels[shown], self.labels[shown]
        )
        changed = few.attack("pgd", asked.epsilon, "linf", steps=asked.steps)
        low, high = few.range
        clean = np.asarray(few.inputs)
        inputs = np.stack([clean, np.asarray(changed)], 1).reshape(-1, *clean.shape[1:])
        pixels = np.clip(np.round(255 * (inputs - low) / (high - low)), 0, 255).astype(np.uint8)
        pixels[::2] = few.pixels
        p = predict(self.net, pixels)
        found, left_out = few.explained(inputs)
        maps = {label: each.maps[0] for label, each in found.items()}
        rows = [
            f"{'clean' if i % 2 == 0 else 'attacked'}\n{names[one.argmax()]} {one.max():.2f}" for i, one in enumerate(p)
        ]
        title = few.title(f"adversarial images, each value changed by at most {asked.epsilon:g} of its range")
        caption = (
            f"Each image above the one that {asked.steps} steps of projected gradient descent make of it, with the "
            "class that the network predicts for each, its probability, and maps of the logit of the true class. "
            "Each map is on its own scale, whose end is printed under it." + shown_channel(pixels[0])
        )
        caption = " ".join([caption, *left_out_words(left_out)])
        draw = partial(attributions, pixels, rows, columns_of(found), together=2, title=title)
        numbers = {"images": pixels, **maps, "probabilities": p, "labels": np.repeat(few.labels, 2)}
        return Picture("robustness_images", title, caption, numbers, draw, few.subject | {"method": [*maps, "pgd"]})

    def explained(self, inputs: Any) -> tuple[dict[str, Explained], dict[str, str]]:
        """The maps by each method of two inputs per image, and why a method is left out.

        Raises InputError if a method that was asked for by name does not apply to the network.
        """
        built = Attributions(methods=self.asked.methods).built(self.net, Data(lambda: self.dataset))
        ask = partial(attribute, model=self.net.model, variables=self.net.variables, images=inputs)
        shared = {"targets": np.repeat(self.labels, 2), "key": jax.random.key(self.asked.seed)}
        found, left_out = {}, {}
        for label, method in built.items():
            try:
                found[label] = Explained(method, np.asarray(ask(method, **shared))[None], {}, None)
            except InputError as error:
                if self.asked.methods not in (USUAL, "all"):
                    raise named_fault(label, error) from error
                left_out[label] = str(error)
        return found, left_out

    def title(self, what: str) -> str:
        """A title."""
        images = counted(len(self.places), f"{self.asked.split} image")
        return f"{self.net.name} on {images} of {self.dataset.title}: {what}"

    @property
    def subject(self) -> dict[str, Any]:
        """What the pictures are of."""
        image = {"dataset": self.dataset.name, "split": self.asked.split, "index": self.places}
        return {"network": self.net.name, "image": image}


def band(rights: Sequence[Any]) -> Band:
    """The accuracy and the ends of Wilson's interval of each level."""
    ends = np.array([interval(int(right.sum()), len(right)) for right in rights])
    return {"mean": np.array([right.mean() for right in rights]), "low": ends[:, 0], "high": ends[:, 1]}


def _by_length(panels: Mapping[str, Any], shares: Mapping[str, Float[np.ndarray, " levels"]], title: str) -> Any:
    shown = {SYMBOLS[norm]: lines for norm, lines in panels.items()}
    along = {SYMBOLS[norm]: levels for norm, levels in shares.items()}
    across = {SYMBOLS[norm]: what for norm, what in LENGTHS.items()}
    return bands(shown, along, dict.fromkeys(shown, "accuracy"), across=across, title=title)
