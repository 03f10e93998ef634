"""One training step, as a pure function of the state, a key and a batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from cnnviz.fast.rewrite import faster
from cnnviz.probe import training_logits
from cnnviz.training.augment import augment
from cnnviz.training.optimizer import optimizer
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import State
from cnnviz.types import Array, Key, Labels, PyTree

AUGMENTED = ("shift", "flip", "erase", "flip_vertical", "crop")  # the fields of a recipe
AUGMENTATION = 2**32 - 1  # folded into the key before the step for augmentation; for dropout only the step is


def make_step(
    model: Any, recipe: Recipe, prepare: Callable, steps: int, *, divided: bool = False, weights: Any = None
) -> Callable:
    """Returns `step(state, key, images, labels) -> (state, refused)`, to be compiled; `steps` is the training's total.

    The images are uint8 `[n h w c]`, before `prepare`. The key is the same for all steps: the state's step is folded
    into it. An update that would put a NaN or an infinity into the state is refused: only the step advances, and
    `refused` counts such updates in a row. On CPU a batch passes the model in microbatches, unless it is `divided`
    among devices. `weights`, float `[k]`, are those of the classes in the loss.
    """
    update = optimizer(recipe, steps).update

    @partial(faster, images=None if divided else 1)
    def predict(variables, images, dropout_key):
        return training_logits(model, variables, images, dropout_key)

    def loss_of(params, state: State, key: Key, images: Array, labels: Labels):
        params, images = _cast((params, images), recipe.precision)
        dropout_key = jax.random.fold_in(key, state.step)
        logits, others = predict({"params": params} | state.not_trained, images, dropout_key)
        return _loss(logits := logits.astype(jnp.float32), labels, recipe.label_smoothing, weights), (logits, others)

    def step(state: State, key: Key, images: Array, labels: Labels) -> tuple[State, Array]:
        augment_key = jax.random.fold_in(jax.random.fold_in(key, AUGMENTATION), state.step)
        images = prepare(augment(images, augment_key, **{name: getattr(recipe, name) for name in AUGMENTED}))
        gradient_of = jax.value_and_grad(loss_of, has_aux=True)
        (loss, (logits, others)), gradient = gradient_of(state.params, state, key, images, labels)
        updates, opt_state = update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        totals = state.totals.add(logits, labels, jnp.ones(labels.shape, bool))
        changed = state.with_variables({"params": params} | others)
        changed = changed.replace(opt_state=opt_state, totals=totals, refused=jnp.zeros_like(state.refused))
        changed = changed.replace(average=_averaged(state, changed, recipe.average))
        # If the norm of the gradient is finite so are its squares, and the optimizer's moments stay finite too.
        finite = _all_finite((loss, optax.tree.norm(gradient), params, others))
        # A branch, since `where` would read and write the complete state once more.
        state = jax.lax.cond(finite, lambda: changed, lambda: state.replace(refused=state.refused + 1))
        return state.replace(step=state.step + 1), state.refused

    return _in_precision(recipe.precision)(step)


def _loss(logits: Float[Array, "n k"], labels: Labels, smoothing: float, weights: Any) -> Array:
    """The mean cross-entropy; label smoothing spreads a share of each label's weight over all classes.

    With weights each image counts as much as its class; the sum is divided by the number of images, as in Keras.
    """
    if not smoothing:
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    else:
        wanted = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
        losses = optax.softmax_cross_entropy(logits, wanted)
    return (losses if weights is None else losses * jnp.asarray(weights)[labels]).mean()


def _averaged(before: State, after: State, decay: float) -> PyTree:
    """The moving average of the variables; early on it is their plain mean, so that the initial ones do not count."""
    if before.average is None:
        return None
    pace = jnp.maximum(1 - decay, 1 / (before.step + 1))
    averaged = optax.incremental_update(after.latest, before.average, pace)
    is_real = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.floating)  # of a count, only the latest means something
    return jax.tree.map(lambda mean, new: mean if is_real(new) else new, averaged, after.latest)


def _in_precision(precision: str) -> Callable[[Callable], Callable]:
    """Makes a function multiply as a recipe says, whatever JAX's default is: that of a GPU rounds float32 factors."""
    return jax.default_matmul_precision("float32" if precision == "bfloat16" else precision)


def _cast(tree: PyTree, precision: str) -> PyTree:
    """The parameters and images of the computation, which is in float32 for all precisions but bfloat16."""
    return jax.tree.map(lambda leaf: leaf.astype(precision), tree) if precision == "bfloat16" else tree


def _all_finite(tree: PyTree) -> Array:
    """Whether all values are finite: 0 times any other is NaN. Testing one sum is the fastest way on CPU."""
    return jnp.isfinite(
        sum((leaf * 0).sum() for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact))
    )
