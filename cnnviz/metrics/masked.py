"""What average drop, increase and gain share: the answer to the image seen through the map."""

from typing import ClassVar

from cnnviz.attribution.present import scaled
from cnnviz.attribution.shapes import method, value
from cnnviz.errors import InputError
from cnnviz.metrics.shapes import Map, OfMap, check_of, over_channels
from cnnviz.types import Image, Key, Scalar, Score

SHARES = "probability", "correct"  # numbers of a network that are from 0 to 1


@method
class Masked(OfMap):
    """A metric of two answers: to the image, and to the image times the map, scaled to 0 to 1.

    With `absolute` the map's absolute values are taken, as Xplique does; the papers' maps are not negative.
    """

    absolute: bool = False
    of: str = "probability"

    needs = "varying"
    of_shares: ClassVar[bool] = False  # whether it divides by what is lost or gained at most

    def __post_init__(self):
        check_of(self.of)
        if self.of_shares and self.of not in SHARES:
            raise InputError(
                f"{type(self).__name__} is a share of a probability: of is {' or '.join(SHARES)}; it was {self.of}."
            )

    def __call__(self, score: Score, image: Image, map: Map, key: Key) -> Scalar:
        mask = scaled(abs(map) if self.absolute else map)
        return self.compared(value(score, image), value(score, image * over_channels(mask, image)))

    def compared(self, before: Scalar, after: Scalar) -> Scalar:
        """The metric, from the answers to the image and to what the map leaves of it."""
        raise NotImplementedError
