"""Which split is for what: training, testing, and validation where a data set has images for it."""

from collections.abc import Mapping

import numpy as np

from cnnviz.data.dataset import Split
from cnnviz.errors import InputError

# what folders, arrays and columns call each split
PARTS = {
    "train": ("train", "training", "tr"),
    "test": ("test", "testing", "t10k"),
    "validation": ("val", "valid", "validation", "dev"),
}
PART_OF = {name: part for part, names in PARTS.items() for name in names}


def parts_of(splits: Mapping[str, Split], where: str) -> tuple[Split, Split, Split | None, list[str]]:
    """The splits for training, testing and validation, and sentences about how they were chosen.

    Without one for testing, that for validation is for testing; without either, every sixth image of each class.
    """
    train, test, validation = (splits.get(part) for part in PARTS)
    if train is None:
        raise InputError(f"{where} has the splits {', '.join(splits) or 'none'}; cnnviz needs train.")
    if test is not None and validation is not None:
        return train, test, validation, [f"Its own {len(validation.labels):,} validation images are for validation."]
    if test is not None:
        return train, test, None, []
    if validation is not None:
        return train, validation, None, [f"Without test images, its {len(validation.labels):,} validation images test."]
    return *hold_out(train, where), None, []


def hold_out(everything: Split, where: str) -> tuple[Split, Split]:
    """Train and test splits of a data set that has only one: every sixth image of each class is for testing.

    Raises InputError if no class has six images.
    """
    ranks = np.zeros(len(everything.labels), int)
    for label in np.unique(everything.labels):
        members = everything.labels == label
        ranks[members] = np.arange(members.sum())
    held = ranks % 6 == 5
    if not held.any():
        raise InputError(
            f"{where} has fewer than six images in every class; a test split needs at least six images of a class."
        )
    train, test = (Split(everything.images[chosen], everything.labels[chosen]) for chosen in (~held, held))
    return train, test
