"""Names of data sets as people type them: other cases, hyphens, and the names that other libraries have for them."""

import re
from collections.abc import Iterable
from pathlib import Path

from cnnviz import errors
from cnnviz.data import paths
from cnnviz.errors import InputError
from cnnviz.errors.meant import folded
from cnnviz.errors.meant import meant as known_by

ALIASES = {
    "fashion": "fashion_mnist",
    "fmnist": "fashion_mnist",
    "digits": "mnist",
    "kuzushijimnist": "kmnist",
    "cifar": "cifar10",
    "svhncropped": "svhn",
    "streetviewhousenumbers": "svhn",
    "emnist": "emnist_balanced",
}
ELSEWHERE = {
    "imagenet|ilsvrc": "ImageNet is not downloaded: it needs an account",
    "coco|pascal|voc|cityscapes|ade20k": "it has no single class per image",
    "celeba|chestmnist": "its images have several labels each",
    "^medmnist(v2)?$": "the sets of MedMNIST have their own names, such as pathmnist",
}
PATHS = "the path of a folder with one subfolder per class, an .npz or .csv file, or an archive"


def meant(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` stands for; None if there is none."""
    plain = {folded(each): each for each in known}
    return plain.get(folded(name)) or plain.get(folded(ALIASES.get(folded(name), "")))


def is_name(text: str) -> bool:
    """Whether a text that is no path on this machine is rather a name: it has neither a separator nor an ending."""
    return not re.search(r"[/\\]", text) and not re.search(r"\.[A-Za-z]\w*$", text)


def unknown(name: str, known: Iterable[str]) -> InputError:
    """The error for a name that stands for none of the known ones; it suggests one only if it is much alike."""
    known = list(known)
    if why := next((why for words, why in ELSEWHERE.items() if re.search(words, folded(name))), None):
        return InputError(f"{name!r} is not a data set; {why}. Known: {', '.join(known)}; or {PATHS}.")
    suggested = [] if known_by(name, known) or not (found := paths.near(Path(name))) else [str(found)]
    return InputError(f"{str(errors.unknown('data set', name, known, suggested)).removesuffix('.')}; or {PATHS}.")
