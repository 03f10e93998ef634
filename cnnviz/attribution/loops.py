"""What is said where JAX cannot go backwards: through a `while_loop`, whose number of rounds depends on its values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cnnviz.errors import InputError
from cnnviz.graph import Graph

REFUSAL = "Reverse-mode differentiation does not work for lax.while_loop"


@contextmanager
def loops_named(graph: Callable[[], Graph]) -> Iterator[None]:
    """Raises InputError, with the loop's place in the model, where JAX refuses to differentiate a `while_loop`.

    `graph` makes the model's graph, which is asked for the place.
    """
    try:
        yield
    except ValueError as error:
        if REFUSAL not in str(error):
            raise
        loops = (node for node in graph().nodes if node.name == "while")
        place = next(("/".join(filter(None, (node.scope, *node.calls))) for node in loops), "") or "the model"
        raise InputError(
            f"The while_loop in {place} has no derivative, which this method takes; a loop of a fixed number of rounds "
            "(lax.scan, or lax.fori_loop with constant bounds) has one, and score_cam and ablation_cam need none."
        ) from error
