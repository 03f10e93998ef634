"""Options that several kinds of picture share; others are fields of the kind that has them."""

from dataclasses import dataclass
from typing import ClassVar

from cnnviz.errors import InputError

ONE_UNIT = "--pairs is about one unit; name it by --unit, such as --layer relu2 --unit 31."


def check_input(inputs: object, name: str | None) -> None:
    """Raises InputError for the name of an input without the file that has a row of each."""
    if inputs is None and name is not None:
        raise InputError(f"--input {name} is one of several inputs, which are given by --inputs FILE.npz.")


def check_spelled_once(image: str | int | None, images: str | int | None) -> None:
    """Raises InputError for different values under the two spellings of the option of images."""
    if None not in (image, images) and image != images:
        raise InputError(f"--image {image} and --images {images} are one option; give one of them.")


@dataclass(frozen=True)
class OfLayer:
    """The option of pictures of a layer."""

    layer: str | None = None
    """Draw this layer, or several: by name (conv1,relu1), pattern (conv*), kind (kind:relu) or number (0,-1)."""


@dataclass(frozen=True)
class OfImage:
    """The options of pictures of images, of a data set or of one's own."""

    FIRST: ClassVar[str] = "0"  # what is drawn if nothing is asked for

    image: str | int | None = None
    """Images of the split by number (3; 0:8; 3,5,9), or pictures of your own: a file, a folder, a pattern
    ("photos/*.jpg"). Several --image add up."""
    images: str | int | None = None
    """The same as --image; only one of the two spellings may be used."""
    split: str = "test"
    """The split that numbers are from: train or test."""
    invert: bool = False
    """Show pictures of your own as negatives, to a network that was trained on bright things on black."""

    @property
    def chosen(self) -> str:
        """What was asked for, as text; raises InputError for two different answers."""
        check_spelled_once(self.image, self.images)
        asked = self.image if self.image is not None else self.images
        return self.FIRST if asked is None else str(asked)
