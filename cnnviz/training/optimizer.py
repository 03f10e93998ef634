"""What turns a gradient into an update: Adam, or Muon for the matrices and Adam for the rest."""

import jax
import optax
import optax.contrib

from cnnviz.training.recipe import Recipe
from cnnviz.types import PyTree

ADAMS_SIZE = 0.2  # the root mean square of Muon's updates by the learning rate, so that both live at the same rates


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimizer for a training of so many steps; its state does not depend on their number."""
    rate = recipe.learning_rate
    if recipe.schedule == "one_cycle":  # Smith and Topin, "Super-convergence", 2018
        rate = optax.cosine_onecycle_schedule(steps, rate, pct_start=0.2, div_factor=10, final_div_factor=100)
    if recipe.optimizer == "muon":
        decay = {"weight_decay": recipe.weight_decay, "adam_weight_decay": recipe.weight_decay}
        how = {"consistent_rms": ADAMS_SIZE, "muon_weight_dimension_numbers": matrices}
        return optax.contrib.muon(rate, eps=recipe.epsilon, **decay, **how)
    if recipe.weight_decay:
        return optax.adamw(rate, eps=recipe.epsilon, weight_decay=recipe.weight_decay)
    return optax.adam(rate, eps=recipe.epsilon)


def matrices(params: PyTree) -> PyTree:
    """How Muon reads each parameter: a kernel [..., in, out] as a matrix from a window to its outputs; others not.

    The mean update along a kernel's singular vectors is orthogonalized: K. Jordan et al., "Muon: An optimizer for
    hidden layers in neural networks", 2024; its size is Adam's by J. Liu et al., "Muon is Scalable for LLM Training",
    2025, section 2.2.
    """
    of = lambda leaf: optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)
    return jax.tree.map(lambda leaf: of(leaf) if leaf.ndim > 1 else None, params)
