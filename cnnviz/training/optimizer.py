"""Optimizers and schedules: what a recipe's names mean in optax."""

from typing import Any

import jax
import optax
import optax.contrib

from cnnviz.training.recipe import Recipe
from cnnviz.types import PyTree

ADAMS_SIZE = 0.2  # the usual root mean square of an Adam update, divided by the learning rate
RISE = 0.2  # share of all steps in which one_cycle rises, unless the recipe has a warmup


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimizer for a training of `steps` steps; its state does not depend on their number.

    "muon" orthogonalizes the momentum of each convolution kernel, so that the update is equally large in all directions
    (K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024), and scales it to the size of
    Adam's updates (J. Liu et al., "Muon is Scalable for LLM Training", 2025, section 2.2), so that both use one
    learning rate. Weight decay is decoupled with Adam and Muon (Loshchilov and Hutter, "Decoupled Weight Decay
    Regularization", 2019); with SGD and RMSProp it is added to the gradient, after clipping.
    """
    update = _update(recipe, schedule(recipe, steps))
    return optax.chain(optax.clip_by_global_norm(recipe.gradient_clip), update) if recipe.gradient_clip else update


def _update(recipe: Recipe, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    decay, epsilon = recipe.weight_decay, recipe.epsilon
    match recipe.optimizer:
        case "muon":
            how = {"consistent_rms": ADAMS_SIZE, "muon_weight_dimension_numbers": _as_matrices}
            return optax.contrib.muon(rate, eps=epsilon, weight_decay=decay, adam_weight_decay=decay, **how)
        case "sgd":
            return optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate, recipe.momentum or None))
        case "rmsprop":
            return optax.chain(optax.add_decayed_weights(decay), optax.rmsprop(rate, decay=0.9, eps=epsilon))
    return optax.adamw(rate, eps=epsilon, weight_decay=decay) if decay else optax.adam(rate, eps=epsilon)


def schedule(recipe: Recipe, steps: int) -> optax.ScalarOrSchedule:
    """The learning rate as a function of the step, from 0, in a training of `steps` steps; a number if it is constant.

    "one_cycle" rises from a tenth of the rate and falls to a thousandth, by cosines (Smith and Topin,
    "Super-convergence", 2018); "cosine" and "linear" fall to 0. A warmup rises linearly to the rate.
    """
    rate, rise = recipe.learning_rate, min(round(recipe.warmup / recipe.epochs * steps), steps - 1)
    if recipe.schedule == "one_cycle":
        share = rise / steps if rise else RISE
        return optax.cosine_onecycle_schedule(steps, rate, pct_start=share, div_factor=10, final_div_factor=100)
    after: Any = {
        "constant": rate,
        "cosine": optax.cosine_decay_schedule(rate, steps - rise),
        "linear": optax.linear_schedule(rate, 0.0, steps - rise),
    }[recipe.schedule]
    if not recipe.warmup:
        return after
    falling: Any = after if callable(after) else optax.constant_schedule(after)
    rising = optax.linear_schedule(rate / max(rise, 1), rate, max(rise - 1, 1))
    return optax.join_schedules([rising, falling], [rise])


def learning_rate_at(recipe: Recipe, steps: int, step: int) -> float:
    """The learning rate of one step, from 0, in a training of `steps` steps."""
    rate: Any = schedule(recipe, steps)
    value: Any = rate(step) if callable(rate) else rate
    return float(value)


def _as_matrices(params: PyTree) -> PyTree:
    """How Muon sees each parameter: a convolution kernel [..., in, out] is a matrix from windows to channels.

    Dense layers are left to Adam: Muon is no better for them here, and makes a step a quarter slower on CPU.
    """
    of = lambda leaf: optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)
    return jax.tree.map(lambda leaf: of(leaf) if leaf.ndim > 2 else None, params)
