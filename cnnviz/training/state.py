"""What a training changes step by step, as one tree: saved whole, training goes on from it with the same bits."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from cnnviz.training.optimizer import optimizer
from cnnviz.training.recipe import Recipe
from cnnviz.types import Array, Key, Labels, Logits, PyTree


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
    """All that a step changes."""

    step: PyTree  # int32 []
    params: PyTree
    batch_stats: PyTree  # empty for a model without BatchNorm
    opt_state: PyTree
    totals: PyTree  # Totals
    refused: PyTree  # int32 [], updates in a row that were not finite
    average: PyTree = None  # the variables averaged over the steps, where the recipe asks for that

    @property
    def variables(self) -> dict[str, PyTree]:
        """What is evaluated and kept: the average of the variables where there is one."""
        return self.latest if self.average is None else self.average

    @property
    def latest(self) -> dict[str, PyTree]:
        return {"params": self.params} | ({"batch_stats": self.batch_stats} if self.batch_stats else {})


def initial_state(model: Any, recipe: Recipe, image_shape: tuple[int, ...], key: Key) -> State:
    """The state before the first step, its parameters drawn from the key."""
    variables = jax.jit(model.init)(key, jnp.zeros((1, *image_shape)))
    params = variables["params"]
    opt_state = optimizer(recipe, steps=1).init(params)
    zero = lambda: jnp.zeros((), jnp.int32)  # an array each, since a step takes over the memory of both
    state = State(zero(), params, variables.get("batch_stats", {}), opt_state, Totals.zero(), zero())
    return state.replace(average=jax.tree.map(jnp.copy, state.latest)) if recipe.average else state
