"""How far attribution maps of networks and of seeds agree, next to maps of one network of different images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from typing import Any

import jax
import numpy as np

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.attribution.shapes import Method
from cnnviz.batching import Report, part
from cnnviz.comparison.agreement import SHARE
from cnnviz.comparison.classes import matched
from cnnviz.comparison.member_maps import member_maps
from cnnviz.data import Dataset
from cnnviz.errors import InputError, OptionError
from cnnviz.errors.ranges import check_range
from cnnviz.networks import Net
from cnnviz.pictures.attribute import Attributions, passes
from cnnviz.pictures.attribution_page import named_fault
from cnnviz.pictures.compared.agreement_page import Explained, Pair, maps_picture, picture
from cnnviz.pictures.compared.options import OfImages
from cnnviz.pictures.compared.shared import shared
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.options import OfLayer
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped, split_of
from cnnviz.pictures.two_classes import per_class

USUAL = "grad_cam"


@dataclass(frozen=True)
class Agreement(OfImages, OfLayer, Kind):
    """The agreement of maps of the same images, of each two networks and of the seeds of each."""

    method: str = USUAL
    """Methods whose maps are compared, with commas between them; options go after a colon, as in attribute."""
    explained: int = 64
    """The number of images that are explained, the first of the split; what is explained is their true class."""
    top: float = SHARE
    """Which share of a map's values is its top."""
    seed: int = 0
    """The key of methods that draw at random, the same for all networks."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """Two pictures per method: how far maps agree, and the maps; raises as `shared`.

        Raises Skipped for one network of one seed and where no classes are known, InputError for an invalid option.
        """
        if self.explained < 2:
            raise OptionError(f"explained must be at least 2 images; it was {self.explained}.")
        check_range("top", self.top)
        able, dataset, said = shared(networks, data)
        if sum(len(net.members) for net in able) < 2:
            raise Skipped(f"{able[0].name} is one network of one seed, so there is nothing to agree with.{said}")
        named = self._named(able, data)
        drawn = []
        for place, label in enumerate(named):
            drawn += self._of_method(label, named[label], able, dataset, said, part(report, place, len(named), label))
        return drawn

    def _named(self, nets: Sequence[Net], data: Data) -> dict[str, list[Method]]:
        """Each method for every network, as its baseline may be that network's images."""
        asked = Attributions(methods=self.method, layer=self.layer, seed=self.seed)
        built = [asked.built(net, data) for net in nets]
        return {label: [own[label] for own in built] for label in built[0]}

    def _of_method(
        self,
        label: str,
        methods: Sequence[Method],
        nets: Sequence[Net],
        dataset: Dataset,
        said: str,
        report: Report | None,
    ) -> list[Picture]:
        known = [matched(net.name, net.classes, net.class_count, dataset.classes).outputs for net in nets]
        places = [i for i, outputs in enumerate(known) if (outputs >= 0).any()]
        if sum(len(nets[i].members) for i in places) < 2:
            raise Skipped(f"Fewer than two networks know classes of {dataset.title}, so no maps are of the same class.")
        if others := [net.name for i, net in enumerate(nets) if i not in places]:
            said += f" Left out, with other classes: {', '.join(others)}."
        is_known = np.all([known[i] >= 0 for i in places], axis=0)
        images, labels, numbers = self._shown(dataset, is_known, [nets[i] for i in places], methods[places[0]])
        found = []
        for done, i in enumerate(places):
            own = part(report, done, len(places), nets[i].name)
            try:
                maps = self._maps(methods[i], nets[i], images, known[i][labels].astype(np.int32), own)
            except InputError as error:  # a network without maps of its own has none by the default method
                if self.method != USUAL:
                    raise named_fault(label, error) from error
                said += f" {nets[i].name} is left out. {error}"
            else:
                found.append(Explained(nets[i], maps))
        if sum(len(its.net.members) for its in found) < 2:
            raise Skipped(f"Fewer than two networks can be explained by {label}.{said}")
        asked = {"method": label, "share": self.top, "split": self.split}
        pairs = self._pairs(found)
        return [
            picture(pairs, found, dataset, numbers, said, **asked),
            *maps_picture(found, images, labels, numbers, dataset, **asked),
        ]

    def _shown(
        self, dataset: Dataset, is_known: np.ndarray, nets: Sequence[Net], method: Method
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The images that are explained, their labels, and their numbers in the split."""
        split = split_of(dataset, self.split)
        numbers = np.flatnonzero(is_known[split.labels])
        passing = passes({"": method}) * sum(len(net.members) for net in nets)
        numbers = numbers[: max(2, min(self.explained, affordable(nets[0], len(numbers), passing)))]
        if len(numbers) < 2:
            raise Skipped(f"{dataset.title} has fewer than two images of classes that all networks know.")
        return split.images[numbers], split.labels[numbers], numbers

    def _maps(self, method: Method, net: Net, images: Any, targets: np.ndarray, report: Report | None) -> np.ndarray:
        """The maps `[members, n, *sides]`; of a network with one logit, each class has a score of its own."""
        key = jax.random.key(self.seed)
        if net.ending != "sigmoid" or probe.output_shape(net.model, net.variables, net.image_shape) != (1,):
            return member_maps(method, net, images, targets, key=key, report=report)
        ask = partial(attribute, method, net.model, key=key, details=True)
        of_images = {"images": net.prepare(images), "targets": targets, "labels": targets}
        return np.stack([np.asarray(per_class(ask, net, own, **of_images).maps) for own in net.members])

    def _pairs(self, found: Sequence[Explained]) -> list[Pair]:
        """The seeds of each network, each two networks, and each network on other images."""
        within = [
            Pair.of(f"seeds of {one.net.name}", "seeds", one, one, [*combinations(range(len(one.maps)), 2)], self.top)
            for one in found
            if len(one.maps) > 1
        ]
        between = [
            Pair.of(f"{a.net.name}, {b.net.name}", "networks", a, b, [*product(range(len(a.maps)), range(len(b.maps)))],
                    self.top)
            for a, b in combinations(found, 2)
        ]  # fmt: skip
        return within + between + [Pair.baseline(one, self.top, self.seed) for one in found]
