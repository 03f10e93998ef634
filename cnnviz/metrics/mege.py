"""Whether networks that were trained alike and are right have the same maps: mean generalizability."""

from cnnviz.attribution.shapes import method
from cnnviz.errors import InputError
from cnnviz.metrics.members import Distances, OfMembers


@method
class MeGe(OfMembers):
    """1 / (1 + the mean distance of two members' maps of an image that both have right); 1 is the best.

    Fel et al. 2022, How good is your explanation? Algorithmic stability measures to assess the quality of explanations
    for deep neural networks, eq. 4 (arXiv:2009.04521). Xplique trains the networks itself, on folds; here they are a
    run's members, which all have seen the same images, and the images are of the test split.
    """

    def of_distances(self, found: Distances) -> float:
        if not len(found.same):
            raise InputError("No image is classified correctly by two members, so MeGe is not defined.")
        return float(1 / (1 + found.same.mean()))
