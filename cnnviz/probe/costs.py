"""What each layer costs: arithmetic operations and bytes, by its shapes, and the time that it takes, as measured."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax

from cnnviz.batching import IMAGE_ROWS, Report
from cnnviz.fast.jit import compiled
from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.cost import flops
from cnnviz.probe.inputs import call_for, image_count, with_rows
from cnnviz.probe.reader import NOTHING, Call, Reader
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import PyTree, VariablesLike

ROUNDS = 7  # in which each layer is called once, so that a moment's load is not one layer's


@dataclass(frozen=True)
class Cost:
    """What a layer costs for one image: its arithmetic operations, the bytes of its value, and seconds.

    What is computed for an earlier layer counts there, so a second name of the same value costs nothing. `seconds` is
    the least of several measurements of the layer's own operations, compiled by themselves, divided by the images.
    """

    flops: int
    bytes: int
    seconds: float


def costs(
    model: Any, variables: VariablesLike, images: PyTree, *, call: Call = NOTHING, report: Report | None = None
) -> dict[str, Cost]:
    """The cost per image of every layer, in order of execution, measured on a chunk of these images `[n, ...]`.

    Compiled together, layers share work and take less time than the sum of these.
    """
    reader = Reader(model, variables, None, call=call)
    count = min(image_count(images, call), reader.batch_size(images, usual=IMAGE_ROWS))
    chunk = jax.tree.map(lambda leaf: leaf[:count], images)
    request, held, inputs = reader.request(chunk)
    traced, arrays = request.traced(held, inputs)
    one = trace(model, as_variables(variables), with_rows(chunk, 1), call_for(call, 1))
    operations = {name: sum(map(flops, nodes)) for name, nodes in segments(one).items()}
    calls = {name: _call(traced, arrays, nodes, traced.values[name]) for name, nodes in segments(traced).items()}
    seconds = _least(calls, report)
    size = lambda value: math.prod(value.shape) * value.dtype.itemsize
    return {name: Cost(operations[name], size(one.values[name]), seconds[name] / count) for name in calls}


def segments(traced: Trace) -> dict[str, list[Node]]:
    """The nodes that each layer adds to those before it, of those that depend on the images."""
    live = set(traced.images.values())
    for node in traced.graph.nodes:
        if live.intersection(node.inputs):
            live.update(node.outputs)
    known: set[Node] = set()
    found = {}
    for name, value in traced.values.items():
        needed = [node for node in traced.graph.needed([value]) if live.intersection(node.outputs)]
        found[name] = [node for node in needed if node not in known]
        known.update(needed)
    return found


def _call(traced: Trace, arrays: Sequence[Any], nodes: Sequence[Node], value: Value) -> Callable[[], Any] | None:
    """The compiled call of the nodes which make a value, with all that they read; None if there are no nodes."""
    if not nodes:
        return None
    made = {each for node in nodes for each in node.outputs}
    read = tuple(dict.fromkeys(v for node in nodes for v in node.inputs if v not in made and v.constant is None))
    given = _evaluated(traced.graph, read, arrays)
    call = partial(_evaluated, Graph(read, (value,), tuple(nodes)), (value,), given)
    jax.block_until_ready(call())  # compiles
    return call


def _least(calls: Mapping[str, Callable[[], Any] | None], report: Report | None) -> dict[str, float]:
    """The least seconds that each call takes."""
    found = {name: math.inf if call is not None else 0.0 for name, call in calls.items()}
    for done in range(ROUNDS):
        for name, call in calls.items():
            if call is not None:
                start = time.perf_counter()
                jax.block_until_ready(call())
                found[name] = min(found[name], time.perf_counter() - start)
        if report is not None:
            report(done + 1, ROUNDS)
    return found


@partial(compiled, static_argnums=(0, 1))
def _evaluated(graph: Graph, wanted: tuple[Value, ...], arrays: Sequence[Any]) -> list[Any]:
    return graph.evaluate(arrays, wanted)
