"""MEASURES: how similar two representations of the same images are, one number for two arrays `[n, p]` and `[n, q]`.

`MEASURES["linear_cka"](X, Y)` is that number, and `MEASURES["mutual_knn"](X, Y, k=5)` one with another option; rows are
images, columns are features. Each measure is 1 for a representation and itself. Of many layers, what depends on one of
them is computed once: `measure.compare(measure.prepare(X), measure.prepare(Y))`.
"""

from cnnviz.comparison.measures.cka import DebiasedCKA, LinearCKA
from cnnviz.comparison.measures.measure import Measure
from cnnviz.comparison.measures.mutual_knn import MutualKNN
from cnnviz.comparison.measures.procrustes import Procrustes
from cnnviz.comparison.measures.pwcca import PWCCA
from cnnviz.comparison.measures.rbf_cka import RBFCKA
from cnnviz.comparison.measures.rsa import RSA
from cnnviz.comparison.measures.svcca import SVCCA

MEASURES: dict[str, Measure] = {
    "linear_cka": LinearCKA(),
    "rbf_cka": RBFCKA(),
    "debiased_cka": DebiasedCKA(),
    "svcca": SVCCA(),
    "pwcca": PWCCA(),
    "procrustes": Procrustes(),
    "mutual_knn": MutualKNN(),
    "rsa": RSA(),
}

__all__ = ["MEASURES", "Measure"]
