"""What methods share that fit a linear model of the score to random coalitions of segments."""

from cnnviz.attribution.methods.estimates import Fitted
from cnnviz.attribution.methods.masked import Masked
from cnnviz.attribution.shapes import Raw, method
from cnnviz.types import Array, Float, Image, Key, PyTree, Score


@method
class Regression(Masked):
    """A method whose map has the coefficients of least squares, with their standard errors."""

    samples: int = 1000

    random = True
    keep = True

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        return self.worth(score, image, sample)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(self.fitted(score, image, total, key).coefficients)

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return self.spread(self.fitted(score, image, total, key).error)

    def fitted(self, score: Score, image: Image, worths: Float[Array, " n"], key: Key) -> Fitted:
        """The coefficients of each segment, from the scores of all coalitions."""
        raise NotImplementedError
