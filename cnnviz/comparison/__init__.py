"""How networks differ: in weights, representations and answers; arrays in, rows out."""

from cnnviz.comparison.agreement import Agreement, agreement, on_other_images
from cnnviz.comparison.answers import Answers, answers
from cnnviz.comparison.calibration import Reliability, reliability
from cnnviz.comparison.churn import Churn, churn, explained_by_seed
from cnnviz.comparison.compare import Compared, compare, compared
from cnnviz.comparison.development import layers_over_steps, settled, units_over_steps
from cnnviz.comparison.disagreements import only_right
from cnnviz.comparison.estimates import Estimate, PValue, difference_over_seeds, over_images, over_seeds
from cnnviz.comparison.measures import MEASURES
from cnnviz.comparison.member_maps import MapAgreement, map_agreement, member_maps, spread
from cnnviz.comparison.performance import Difference, Measured, Performance, by_class, class_tests, performance
from cnnviz.comparison.seeds import Seeds, similarity_of_seeds
from cnnviz.comparison.significance import holm, mcnemar, twice_the_median
from cnnviz.comparison.similarity import Similarity, similarities, similarity

__all__ = [
    "MEASURES",
    "Agreement",
    "Answers",
    "Churn",
    "Compared",
    "Difference",
    "Estimate",
    "MapAgreement",
    "Measured",
    "PValue",
    "Performance",
    "Reliability",
    "Seeds",
    "Similarity",
    "agreement",
    "answers",
    "by_class",
    "churn",
    "class_tests",
    "compare",
    "compared",
    "difference_over_seeds",
    "explained_by_seed",
    "holm",
    "layers_over_steps",
    "map_agreement",
    "mcnemar",
    "member_maps",
    "on_other_images",
    "only_right",
    "over_images",
    "over_seeds",
    "performance",
    "reliability",
    "settled",
    "similarities",
    "similarity",
    "similarity_of_seeds",
    "spread",
    "twice_the_median",
    "units_over_steps",
]
