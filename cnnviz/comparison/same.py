"""Whether two networks are one and the same."""

import jax
import numpy as np

from cnnviz.networks import Net


def is_same(a: Net, b: Net) -> bool:
    """Whether both compute the same: equal models, the same preparation, and variables equal in all bits.

    Two networks of one run have the same model, also where a class of the user's was loaded twice.
    """
    mine, its = jax.tree.flatten(a.variables), jax.tree.flatten(b.variables)
    has_model = a.model == b.model or (a.path is not None and a.path == b.path)
    if mine[1] != its[1] or not has_model or a.prepare != b.prepare:
        return False
    same = lambda x, y: x is y or (x.shape == y.shape and x.dtype == y.dtype and np.array_equal(x, y))
    return all(map(same, mine[0], its[0]))
