"""Options that several kinds of picture share; others are fields of the kind that has them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OfLayer:
    """The option of pictures of a layer."""

    layer: str | None = None
    """Draw this layer, or several: by name (conv1,relu1), pattern (conv*), kind (kind:relu) or number (0,-1)."""


@dataclass(frozen=True)
class OfImage:
    """The options of pictures of one image."""

    image: int = 0
    """Index of the image in the split."""
    split: str = "train"
    """The split that the image is from: train or test."""
