"""One step of training and one of evaluation, as pure compiled functions of the state and the resident data."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Int, UInt8

from cnnviz.batching import chunks
from cnnviz.rewrite import faster
from cnnviz.training.recipe import Recipe
from cnnviz.types import Array, Key, Labels, Logits, PyTree, Variables

EVALUATION_ROWS = 500


class Examples(NamedTuple):
    """Images as they were read and their classes, both on the device."""

    images: UInt8[Array, "n h w c"]
    labels: Labels


class Totals(flax.struct.PyTreeNode):
    """Sums over the images seen in this epoch, so that a mean never waits for a step."""

    loss: PyTree  # float32 []; a tree's node may hold anything while it is mapped
    correct: PyTree  # int32 []
    count: PyTree  # int32 []

    @classmethod
    def zero(cls) -> "Totals":
        return cls(jnp.zeros(()), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))

    def add(self, logits: Logits, labels: Labels, mask: Array) -> "Totals":
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        correct = (logits.argmax(-1) == labels) & mask
        return Totals(
            self.loss + jnp.where(mask, losses, 0).sum(),
            self.correct + correct.sum(dtype=jnp.int32),
            self.count + mask.sum(dtype=jnp.int32),
        )

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy."""
        return float(self.loss) / int(self.count), int(self.correct) / int(self.count)


class State(flax.struct.PyTreeNode):
    """All that a step changes; saved whole, training goes on from it with the same bits."""

    step: PyTree  # int32 []
    params: PyTree
    batch_stats: PyTree  # empty for a model without BatchNorm
    opt_state: PyTree
    totals: PyTree  # Totals
    refused: PyTree  # int32 [], updates in a row that were not finite

    @property
    def variables(self) -> dict[str, PyTree]:
        return {"params": self.params} | ({"batch_stats": self.batch_stats} if self.batch_stats else {})


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimizer for a training of so many steps; its state does not depend on their number."""
    rate = recipe.learning_rate
    if recipe.schedule == "one_cycle":  # Smith and Topin, "Super-convergence", 2018
        rate = optax.cosine_onecycle_schedule(steps, rate, pct_start=0.2, div_factor=10, final_div_factor=100)
    if recipe.weight_decay:
        return optax.adamw(rate, eps=recipe.epsilon, weight_decay=recipe.weight_decay)
    return optax.adam(rate, eps=recipe.epsilon)


def initial_state(model: Any, recipe: Recipe, image_shape: tuple[int, ...], key: Key) -> State:
    """The state before the first step, its parameters drawn from the key."""
    variables = jax.jit(model.init)(key, jnp.zeros((1, *image_shape)))
    params = variables["params"]
    opt_state = optimizer(recipe, steps=1).init(params)
    zero = lambda: jnp.zeros((), jnp.int32)  # an array each, since a step takes over the memory of both
    return State(zero(), params, variables.get("batch_stats", {}), opt_state, Totals.zero(), zero())


def make_step(model: Any, recipe: Recipe, prepare: Callable[[Array], Array], key: Key, steps: int) -> Callable:
    """`step(state, examples, order) -> (state, refused)`; the given state's memory is re-used.

    `steps` are all that the training has. `order` are the indices of one epoch's batches `[steps, batch]`; the state's
    step says which is next. An update that would bring a NaN or an infinity into the state is refused: only the step
    moves on, and `refused` counts how many were in a row.
    """
    update = optimizer(recipe, steps).update

    @faster
    def predict(variables, images, dropout_key):
        return model.apply(variables, images, train=True, rngs={"dropout": dropout_key}, mutable=["batch_stats"])

    def loss_of(params, state: State, images, labels):
        variables = {"params": params, "batch_stats": state.batch_stats}
        logits, changed = predict(variables, images, jax.random.fold_in(key, state.step))
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, (logits, changed.get("batch_stats", {}))

    @partial(jax.jit, donate_argnums=0)
    def step(state: State, examples: Examples, order: Int[Array, "steps batch"]) -> tuple[State, Array]:
        batch = order[state.step % len(order)]
        images, labels = prepare(examples.images[batch]), examples.labels[batch]
        gradient_of = jax.value_and_grad(loss_of, has_aux=True)
        (loss, (logits, batch_stats)), gradient = gradient_of(state.params, state, images, labels)
        updates, opt_state = update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        totals = state.totals.add(logits, labels, jnp.ones(labels.shape, bool))
        # A gradient with a finite norm has finite squares, so Adam's moments stay finite too.
        finite = _all_finite((loss, optax.tree.norm(gradient), params, batch_stats))
        changed = State(state.step, params, batch_stats, opt_state, totals, jnp.zeros_like(state.refused))
        kept = state.replace(refused=state.refused + 1)
        state = jax.tree.map(partial(jnp.where, finite), changed, kept)
        return state.replace(step=state.step + 1), state.refused

    return step


def _all_finite(tree: PyTree) -> Array:
    return jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def make_evaluate(
    model: Any, prepare: Callable[[Array], Array]
) -> Callable[[Variables, Examples], tuple[float, float]]:
    """`evaluate(variables, examples) -> (mean loss, accuracy)`, over all examples and in evaluation mode."""

    @jax.jit
    def add(totals: Totals, variables: Variables, images: Array, labels: Labels, mask: Array) -> Totals:
        return totals.add(model.apply(variables, prepare(images)), labels, mask)

    def evaluate(variables: Variables, examples: Examples) -> tuple[float, float]:
        totals = Totals.zero()
        for chunk in chunks(tuple(examples), EVALUATION_ROWS):
            totals = add(totals, variables, *chunk.rows, chunk.mask)
        return totals.means()

    return evaluate
