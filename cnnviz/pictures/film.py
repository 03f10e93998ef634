"""A run over its training, as a film and as a strip: kernels, maps, histograms, loss, and what was settled when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnnviz.batching import Report, part
from cnnviz.errors import OptionError
from cnnviz.networks import Net
from cnnviz.pictures.animated import check_format
from cnnviz.pictures.filmed import FILMS
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped
from cnnviz.pictures.steps import steps_of
from cnnviz.registry import resolve


@dataclass(frozen=True)
class Film(OfImage, OfLayer, Kind):
    """A run at the steps that it keeps: film RUN --of kernels; train with --snapshots to keep more of them."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {"of", "film", "method", "target"}

    of: str = "kernels"
    """kernels, histograms, activations, attributions, similarity, units, classes or loss; several with commas."""
    film: str = "gif"
    """The film's format: gif, mp4 (needs ffmpeg), frames (one png per step), or none for the strip alone."""
    columns: int = 6
    """How many steps the strip has, evenly spaced; the film has all."""
    steps: str | None = None
    """The steps that are shown, such as 0,400; by default all that the run keeps."""
    method: str | None = None
    """The method of attributions; by default grad_cam or, if it does not apply, integrated_gradients."""
    target: str = "predicted"
    """What attributions explain: predicted (by the last step), label, or a class by name or number."""
    measure: str = "debiased_cka"
    """The measure of similarity: debiased_cka or linear_cka."""
    among: int = 1000
    """The number of images for similarity, units, classes and loss, evenly spaced in the split."""
    seed: int = 0
    """The key of methods that draw at random."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One picture with its film per network and subject; raises Skipped for a network that is not of a run."""
        check_format(self.film)
        if self.columns < 1:
            raise OptionError(f"columns must be at least 1; it was {self.columns}.")
        films = {name.strip(): resolve(FILMS, name.strip(), "film") for name in self.of.split(",")}
        drawn, skipped = [], []
        for net in networks:
            steps = steps_of(net, self.steps)
            for place, (name, make) in enumerate(films.items()):
                try:
                    drawn.append(make(self, net.first, steps, data, part(report, place, len(films), name)))
                except Skipped as reason:
                    skipped.append(reason)
        if not drawn:
            raise skipped[0]
        for reason in skipped:
            data.note(f"film: {reason}")
        return drawn
