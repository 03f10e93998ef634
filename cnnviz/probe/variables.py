"""What a user hands in as a network's variables."""

from collections.abc import Mapping

from cnnviz.errors import InputTypeError
from cnnviz.types import Variables, VariablesLike


def as_variables(given: VariablesLike) -> Variables:
    """A mapping of collections as it is; of a Flax TrainState its `params`, and its `batch_stats` where it has them.

    Raises InputTypeError for anything else.
    """
    if isinstance(given, Mapping):
        return given
    from flax.training.train_state import TrainState  # only here, since it imports optax

    if not isinstance(given, TrainState):
        raise InputTypeError(
            "Variables are a mapping such as {'params': ...}, or a Flax TrainState; "
            f"these are of the type {type(given).__name__}."
        )
    statistics = getattr(given, "batch_stats", None)
    return {"params": given.params} | ({"batch_stats": statistics} if statistics else {})
