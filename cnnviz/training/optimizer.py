"""Optimizers: Adam, or Muon for convolution kernels and Adam for the other parameters."""

import jax
import optax
import optax.contrib

from cnnviz.training.recipe import Recipe
from cnnviz.types import PyTree

ADAMS_SIZE = 0.2  # the usual root mean square of an Adam update, divided by the learning rate


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimizer for a training of `steps` steps; its state does not depend on their number.

    "muon" orthogonalizes the momentum of each convolution kernel, so that the update is equally large in all directions
    (K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024), and scales it to the size of
    Adam's updates (J. Liu et al., "Muon is Scalable for LLM Training", 2025, section 2.2), so that both use one
    learning rate.
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
    """How Muon sees each parameter: a convolution kernel [..., in, out] is a matrix from windows to channels.

    Dense layers are left to Adam: Muon is no better for them here, and makes a step a quarter slower on CPU.
    """
    of = lambda leaf: optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)
    return jax.tree.map(lambda leaf: of(leaf) if leaf.ndim > 2 else None, params)
