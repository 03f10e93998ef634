"""Whether different maps mean different answers: relative consistency."""

import numpy as np

from cnnviz.attribution.shapes import method
from cnnviz.errors import InputError
from cnnviz.metrics.members import Distances, OfMembers


@method
class ReCo(OfMembers):
    """The best balanced accuracy, max over g of TPR + TNR - 1, of telling by the maps' distance who is wrong.

    Pairs of members that are both right should have maps closer than g, and pairs of which one is wrong maps further
    apart; 1 is the best and 0 chance. Fel et al. 2022, How good is your explanation?, eq. 5 (arXiv:2009.04521), over
    all g; Xplique tries twenty of them.
    """

    def of_distances(self, found: Distances) -> float:
        if not len(found.same) or not len(found.other):
            raise InputError("ReCo needs images that two members have right, and images that only one of them has.")
        every = np.unique(np.concatenate(found))
        below = lambda values: np.searchsorted(np.sort(values), every, side="right") / len(values)
        return float(max(0.0, (below(found.same) - below(found.other)).max()))
