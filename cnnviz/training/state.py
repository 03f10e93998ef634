"""The state of a training as one pytree; training resumed from a saved state gives the same bits."""

from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from cnnviz.probe import check_trainable, initial_variables
from cnnviz.training.optimizer import optimizer
from cnnviz.training.recipe import Recipe
from cnnviz.types import Array, Key, Labels, Logits, PyTree, Variables


class Totals(flax.struct.PyTreeNode):
    """Sums over the images of this epoch, kept on the device so that no step has to wait for a mean."""

    loss: PyTree  # float32 []; not annotated so, as jax.tree.map puts other values into a node
    correct: PyTree  # int32 []
    count: PyTree  # int32 []

    @classmethod
    def zero(cls) -> "Totals":
        """The sums over no images."""
        return cls(jnp.zeros(()), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))

    def add(self, logits: Logits, labels: Labels, mask: Array) -> "Totals":
        """The sums with the rows of a batch where `mask`, bool `[n]`, is true."""
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        correct = (logits.argmax(-1) == labels) & mask
        return Totals(
            self.loss + jnp.where(mask, losses, 0).sum(),
            self.correct + correct.sum(dtype=jnp.int32),
            self.count + mask.sum(dtype=jnp.int32),
        )

    def means(self) -> tuple[float, float]:
        """Mean cross-entropy and accuracy."""
        return float(self.loss) / int(self.count), int(self.correct) / int(self.count)


class State(flax.struct.PyTreeNode):
    """Everything that a step changes."""

    step: PyTree  # int32 []
    params: PyTree
    batch_stats: PyTree  # empty for a model without BatchNorm
    opt_state: PyTree
    totals: PyTree  # Totals
    refused: PyTree  # int32 [], the number of consecutive updates so far that were not finite
    average: PyTree = None  # the moving average of the variables, if the recipe has one
    others: PyTree = flax.struct.field(default_factory=dict)  # collections of the model's own, by their names

    @property
    def variables(self) -> dict[str, PyTree]:
        """The variables that are evaluated and kept: their average if there is one, else the latest."""
        return self.latest if self.average is None else self.average

    @property
    def latest(self) -> dict[str, PyTree]:
        """The variables after the last step, without averaging."""
        return {"params": self.params} | self.not_trained

    @property
    def not_trained(self) -> dict[str, PyTree]:
        """The collections without gradients, which each call of the model in training mode makes anew."""
        return ({"batch_stats": self.batch_stats} if self.batch_stats else {}) | self.others

    def with_variables(self, variables: Variables) -> "State":
        """The state with these as the latest variables."""
        others = {name: tree for name, tree in variables.items() if name not in ("params", "batch_stats")}
        return self.replace(params=variables["params"], batch_stats=variables.get("batch_stats", {}), others=others)


def initial_state(model: Any, recipe: Recipe, image_shape: tuple[int, ...], key: Key) -> State:
    """The state before the first step, with parameters drawn from the key; `image_shape` is (h, w, c).

    Raises InputError if the model has no parameters.
    """
    variables = jax.jit(partial(initial_variables, model))(key, jnp.zeros((1, *image_shape)))
    check_trainable(variables)
    opt_state = optimizer(recipe, steps=1).init(variables["params"])
    zero = lambda: jnp.zeros((), jnp.int32)  # two arrays, since a step donates the buffers of both
    state = State(zero(), {}, {}, opt_state, Totals.zero(), zero()).with_variables(variables)
    return state.replace(average=jax.tree.map(jnp.copy, state.latest)) if recipe.average else state


def beginning_with(variables: Variables, state: State) -> State:
    """The state before the first step with other variables of the same shapes."""
    state = state.with_variables(variables)
    return state if state.average is None else state.replace(average=jax.tree.map(jnp.copy, state.latest))
