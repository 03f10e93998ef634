"""What several kinds of picture ask for; a kind's own options are its own fields."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OfLayer:
    """A kind of picture that is about a layer."""

    layer: str | None = None
    """Draw this layer; by default those that the kind of picture is about."""


@dataclass(frozen=True)
class OfImage:
    """A kind of picture that shows an image to the network."""

    image: int = 0
    """Index of the image in the split."""
    split: str = "train"
    """The split that the image is from: train or test."""
