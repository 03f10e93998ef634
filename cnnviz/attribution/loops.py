"""What is said where JAX cannot go backwards: through a `while_loop`, whose number of rounds depends on its values."""

from collections.abc import Iterator
from contextlib import contextmanager

from cnnviz.errors import InputError
from cnnviz.graph import Graph

REFUSAL = "Reverse-mode differentiation does not work for lax.while_loop"


@contextmanager
def loops_named(graph: Graph) -> Iterator[None]:
    """Raises InputError, with the loop's place in the model's graph, where JAX refuses to differentiate a loop."""
    try:
        yield
    except ValueError as error:
        if REFUSAL not in str(error):
            raise
        loops = (node for node in graph.nodes if node.name == "while")
        place = next((node.place for node in loops), "the model")
        raise InputError(
            f"The while_loop in {place} has no derivative, which this method takes; a loop of a fixed number of rounds "
            "(lax.scan, or lax.fori_loop with constant bounds) has one, and score_cam and ablation_cam need none."
        ) from error
