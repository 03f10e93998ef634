"""Names of data sets as people type them: other cases, hyphens, and the names that other libraries have for them."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from cnnviz.errors import InputError

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
NEAR = 0.75  # the least likeness of a name that is suggested
ELSEWHERE = {
    "imagenet|ilsvrc": "ImageNet is not downloaded: it needs an account",
    "coco|pascal|voc|cityscapes|ade20k": "it has no single class per image",
    "celeba": "its images have several labels each",
}
PATHS = "a folder with one subfolder per class, an .npz or .csv file, or an archive"


def meant(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` stands for; None if there is none."""
    plain = {_plain(each): each for each in known}
    return plain.get(_plain(name)) or plain.get(_plain(ALIASES.get(_plain(name), "")))


def unknown(name: str, known: Iterable[str]) -> InputError:
    """The error for a name that stands for none of the known ones; it suggests one only if it is much alike."""
    plain = {_plain(each): each for each in known}
    nearest = get_close_matches(_plain(name), plain, n=1, cutoff=NEAR)
    reasons = [f"; {why}" for words, why in ELSEWHERE.items() if re.search(words, _plain(name))]
    hint = "".join(reasons[:1]) or (f"; did you mean {plain[nearest[0]]!r}?" if nearest else "")
    said = f"There is no data set named {name!r}{hint}{'' if hint.endswith('?') else '.'}"
    return InputError(f"{said} Known: {', '.join(plain.values())}; or the path of {PATHS}.")


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
