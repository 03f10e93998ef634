"""What turns a gradient into an update: Adam, or Muon for the kernels of convolutions and Adam for the rest."""

import jax
import optax
import optax.contrib

from cnnviz.training.recipe import Recipe
from cnnviz.types import PyTree

ADAMS_SIZE = 0.2  # the root mean square of an update of Adam's, by the learning rate, as it is usual


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimizer for a training of so many steps; its state does not depend on their number.

    "muon" makes the mean gradient of a convolution's kernel orthogonal: an update as large in all directions (K. Jordan
    et al., "Muon: An optimizer for hidden layers in neural networks", 2024), and of Adam's size (J. Liu et al., "Muon
    is Scalable for LLM Training", 2025, section 2.2), so that one learning rate does for both.
    """
    rate = recipe.learning_rate
    if recipe.schedule == "one_cycle":  # Smith and Topin, "Super-convergence", 2018
        rate = optax.cosine_onecycle_schedule(steps, rate, pct_start=0.2, div_factor=10, final_div_factor=100)
    if recipe.optimizer == "muon":
        decay = {"weight_decay": recipe.weight_decay, "adam_weight_decay": recipe.weight_decay}
        how = {"consistent_rms": ADAMS_SIZE, "muon_weight_dimension_numbers": _as_matrices}
        return optax.contrib.muon(rate, eps=recipe.epsilon, **decay, **how)
    if recipe.weight_decay:
        return optax.adamw(rate, eps=recipe.epsilon, weight_decay=recipe.weight_decay)
    return optax.adam(rate, eps=recipe.epsilon)


def _as_matrices(params: PyTree) -> PyTree:
    """How Muon reads each parameter: a convolution's kernel [..., in, out] as a matrix from windows to channels.

    Dense layers are Adam's: with them in it, Muon is no better here, and a step takes a quarter longer on CPU.
    """
    of = lambda leaf: optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)
    return jax.tree.map(lambda leaf: of(leaf) if leaf.ndim > 2 else None, params)
