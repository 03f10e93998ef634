"""Units of one network matched to those of another with the same variables: git re-basin's weight matching.

Ainsworth et al., "Git Re-Basin: Merging Models modulo Permutation Symmetries", 2023, section 3.2: the permutations that
maximize the inner product of all parameters are searched one group of units at a time, each step a linear assignment.
The first start goes through the network in order and uses only weights from and to units that are matched already, so
that units which are the other network's in another order are found exactly.
"""

from collections.abc import Mapping

import jax
import numpy as np

from cnnviz import probe
from cnnviz.comparison.permute import Permutation
from cnnviz.comparison.search import Search, Similarity
from cnnviz.comparison.ties import Ties
from cnnviz.errors import InputError
from cnnviz.types import VariablesLike

NOTHING: Mapping[str, Similarity] = {}


def match_units(
    tied: Ties,
    a: VariablesLike,
    b: VariablesLike,
    *,
    activations: Mapping[str, Similarity] = NOTHING,
    weights: bool = True,
    signs: bool = True,
    starts: int = 3,
    seed: int = 0,
) -> dict[str, Permutation]:
    """For each group of units, the order of B's that makes them most like A's; `permute` puts B in it.

    `activations` are similarities of A's units (rows) to B's, as `correlations` gives them; with `weights` both count,
    in equal shares. With `signs`, units may change their sign where the network allows it. Of several `starts`, random
    but for the first two, the best is kept. Raises InputError if the variables have other shapes.
    """
    _check(tied, a, b)
    search = Search(
        tied,
        jax.tree.leaves(probe.as_variables(a)),
        jax.tree.leaves(probe.as_variables(b)),
        activations,
        weights,
        signs,
    )
    if weights and search.are_equal:
        return search.identity
    rng = np.random.default_rng(seed)
    found = [search.improved(search.in_order(), rng)]
    while weights and len(found) < starts and search.value(found[0]) < search.most:
        found.append(search.improved(search.identity, rng))
    return max(found, key=search.value)


def _check(tied: Ties, a: VariablesLike, b: VariablesLike) -> None:
    shapes = [[np.shape(leaf) for leaf in jax.tree.leaves(probe.as_variables(each))] for each in (a, b)]
    if shapes[0] != shapes[1] or len(shapes[0]) != len(tied.leaves):
        raise InputError(
            "Units are matched between networks with the same variables; these two differ in their shapes."
        )
