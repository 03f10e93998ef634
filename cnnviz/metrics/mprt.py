"""The model parameter randomization test: does the map change if the network forgets what it has learned?"""

from typing import Any

from cnnviz.attribution.shapes import method
from cnnviz.batching import Report, part
from cnnviz.errors import check_known
from cnnviz.metrics.explainer import Explainer
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.similarity import check_similarity, similarities
from cnnviz.metrics.weights_drawn import layers_with_weights, randomized
from cnnviz.types import Key

MODES = ("cascading", "independent")
DRAWS = ("initial", "shuffle")
VALUES = ("mean", "last")


@method
class MPRT(OfMethod):
    """The similarity of the map with that of the same network with random weights; lower is better.

    Layers are made random one by one from the top down, "cascading" or each "independent" of the others, and the number
    is the "mean" over all of them, or the "last", with all weights random. `similarity` is Spearman's rank correlation
    of absolute values by default, also "spearman", "pearson" and "ssim". `draw` is how weights are drawn
    (`weights_drawn.randomized`). Adebayo et al. 2018, Sanity checks for saliency maps, section 3 (arXiv:1810.03292),
    who look at each of these; Quantus has the mean as `return_average_correlation`.
    """

    mode: str = "cascading"
    similarity: str = "spearman_abs"
    value: str = "mean"
    draw: str = "initial"

    better = "lower"
    random = True

    def __post_init__(self):
        check_known("mode", self.mode, MODES)
        check_known("value", self.value, VALUES)
        check_known("draw", self.draw, DRAWS)
        check_similarity(self.similarity)

    def details(self, explainer: Explainer, maps: Any, key: Key, report: Report | None = None) -> tuple[Any, Any]:
        every = similarities(self.similarity, maps, [other for _, other in self.strip(explainer, key, report)])
        return (every[:, -1] if self.value == "last" else every.mean(-1)), every

    def strip(self, explainer: Explainer, key: Key, report: Report | None = None) -> list[tuple[str, Any]]:
        """Each layer's name, from the last to the first, with the maps after it was made random."""
        given = explainer.model, explainer.variables, explainer.images.shape[1:]
        count = len(layers_with_weights(*given))
        each = enumerate(randomized(*given, key, self.draw, cascading=self.mode == "cascading"))
        return [
            (name, explainer.with_(variables=variables).maps(part(report, i, count))) for i, (name, variables) in each
        ]
