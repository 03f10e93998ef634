"""The images that one network has right and another wrong, by how clearly they do."""

import numpy as np
from jaxtyping import Float, Int

from cnnviz.comparison.answers import Answers


def only_right(one: Answers, other: Answers) -> tuple[Int[np.ndarray, " found"], Float[np.ndarray, " found"]]:
    """All images that `one` has right and `other` wrong, the widest margin first, and the margins.

    The margin is the true class's probability by `one`, less that by `other`. Of several members the means of their
    probabilities are compared, so that a network is one answer. Images without finite outputs count as wrong, with a
    probability of 0.
    """
    one, other = one.mean, other.mean
    found = np.flatnonzero(one.right[0] & ~other.right[0])
    margin = (one.of_label[0] - np.nan_to_num(other.of_label[0]))[found]
    order = np.argsort(-margin, kind="stable")
    return found[order], margin[order]
