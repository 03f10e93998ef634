"""How networks differ: in weights, representations and answers; arrays in, rows out."""

from cnnviz.comparison.answers import Answers, answers
from cnnviz.comparison.calibration import Reliability, reliability
from cnnviz.comparison.churn import Churn, churn, explained_by_seed
from cnnviz.comparison.compare import Compared, compare, compared
from cnnviz.comparison.disagreements import only_right
from cnnviz.comparison.estimates import Estimate, PValue, difference_over_seeds, over_images, over_seeds
from cnnviz.comparison.measures import MEASURES
from cnnviz.comparison.performance import Difference, Measured, Performance, by_class, performance
from cnnviz.comparison.significance import holm, mcnemar, twice_the_median

__all__ = [
    "MEASURES",
    "Answers",
    "Churn",
    "Compared",
    "Difference",
    "Estimate",
    "Measured",
    "PValue",
    "Performance",
    "Reliability",
    "answers",
    "by_class",
    "churn",
    "compare",
    "compared",
    "difference_over_seeds",
    "explained_by_seed",
    "holm",
    "mcnemar",
    "only_right",
    "over_images",
    "over_seeds",
    "performance",
    "reliability",
    "twice_the_median",
]
