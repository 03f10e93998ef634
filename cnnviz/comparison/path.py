"""Networks on the line from one to another, how far the loss there is above that of both ends, and their statistics."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cnnviz.probe import training_logits
from cnnviz.probe.trace import Static
from cnnviz.types import Array, Variables

ROWS = 500  # images of a batch
Prepare = Callable[[Any], Array]
NO_PREPARE: Any = None


def above_ends(loss: Float[np.ndarray, "places n"]) -> Float[np.ndarray, "places n"]:
    """By how much each loss is above the line between the first and the last of its column; of equal ones exactly 0."""
    return loss - (loss[:1] + np.linspace(0, 1, len(loss))[:, None] * (loss[-1:] - loss[:1]))


def between(a: Variables, b: Variables, share: float) -> Variables:
    """Every variable at `a + share * (b - a)`; at 0 and 1, and where both are equal, exactly those of A and B."""
    if share in (0, 1):
        return b if share else a
    mixed = lambda one, other: one if not _is_float(one) else (one + share * (other - one)).astype(one.dtype)
    return jax.tree.map(lambda one, other: mixed(np.asarray(one), np.asarray(other)), a, b)


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def has_statistics(variables: Variables) -> bool:
    """Whether the variables have running statistics, as those of BatchNorm."""
    return bool(jax.tree.leaves(variables.get("batch_stats", {})))


def recomputed(model: Any, variables: Variables, images: Any, prepare: Prepare = NO_PREPARE) -> Variables:
    """The variables with the running statistics that all these images have in training mode, batch by batch.

    A BatchNorm moves its statistics by a share of the difference from the batch's; from where it moves zero and one
    to, that share and the batch's statistics follow, in any model. Means and variances are those of all batches
    together. Networks without running statistics are returned as they are.
    """
    if not has_statistics(variables):
        return variables
    batches = list(_batches(images))
    step = partial(_moved, model)
    found = [step(variables, batch if prepare is None else prepare(batch)) for batch in batches]
    total = jax.tree.map(lambda *each: np.mean(each, 0), *found)
    means = [_by_path(each) for each in found]
    whole = _by_path(total)
    for path, values in whole.items():
        twin = (*path[:-1], "mean")
        if path[-1] == "var" and twin in whole:
            values += np.var([each[twin] for each in means], 0)
    return {**variables, "batch_stats": total}


def _batches(images: Any) -> Iterator[Any]:
    """Batches of one size, so that each counts as much."""
    size = min(ROWS, len(images))
    return (images[start : start + size] for start in range(0, len(images) - size + 1, size))


def _moved(model: Any, variables: Variables, images: Array) -> Any:
    """The batch's own statistics, `(new - kept * old) / (1 - kept)` for old statistics of zero and of one."""
    low, high = (_in_training(Static(model), variables, images, float(start)) for start in (0, 1))
    return jax.tree.map(lambda zero, one: np.asarray(zero, np.float64) / np.asarray(1 - (one - zero)), low, high)


@partial(jax.jit, static_argnums=0)
def _in_training(model: Static, variables: Variables, images: Array, start: Any) -> Any:
    """The statistics after one batch in training mode, if they are one number everywhere before it."""
    begun = jax.tree.map(lambda leaf: jnp.full(leaf.shape, start, leaf.dtype), variables["batch_stats"])
    _, changed = training_logits(model.value, {**variables, "batch_stats": begun}, images, jax.random.key(0))
    return changed["batch_stats"]


def _by_path(tree: Any) -> dict[tuple[str, ...], np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {tuple(str(getattr(key, "key", key)) for key in path): leaf for path, leaf in leaves}
