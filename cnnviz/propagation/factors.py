"""What the factors of a product are: attention weights, normalizers and gates, found in the graph.

A normalizer is a root or a reciprocal of sums (`1 / sqrt(var + eps)`, a norm, the denominator of local response
normalization), a gate a function that saturates on both sides (sigmoid, tanh, clipping). It does not matter which
module made them, or how they are spelled.
"""

from collections.abc import Callable, Iterator

from cnnviz.graph import Graph, Node, Value
from cnnviz.graph.pointwise import is_scaling
from cnnviz.graph.primitives import CUMULATIVE, IDENTITIES, LAYERS, MOVES, REDUCTIONS, SUMS, WINDOWS
from cnnviz.graph.softmax import softmax_operand
from cnnviz.propagation.steps import Reading, Step

ROOTS = {"sqrt", "rsqrt", "pow", "cbrt"}
HOMOGENEOUS = MOVES | IDENTITIES | SUMS | ROOTS | {"abs", "square", "integer_pow", "max", "min", "clamp", "mul", "div"}
SUMMING = (SUMS & (REDUCTIONS | WINDOWS | CUMULATIVE)) | LAYERS
SATURATING = {"logistic", "tanh", "erf", "clamp", "min"}


def constant_factor(step: Step) -> int | None:
    """The position of the one factor of a product that is attention weights or a normalizer; None without one."""
    return _only(step, lambda value: is_softmax(step.reading, value) or is_normalizer(step.reading, value))


def normalizer(step: Step) -> int | None:
    """The position of the one factor of a product that is a normalizer; None without one."""
    return _only(step, lambda value: is_normalizer(step.reading, value))


def gate(step: Step) -> int | None:
    """The position of the one factor of a product that is a gate, attention weights or a normalizer."""
    found = constant_factor(step)
    return _only(step, lambda value: is_gate(step.reading, value)) if found is None else found


def is_softmax(reading: Reading, value: Value) -> bool:
    """Whether the value is a softmax's output, possibly scaled, masked and moved."""
    return softmax_of(reading, value) is not None


def softmax_of(reading: Reading, value: Value) -> Node | None:
    """The last node of the softmax whose output the value is, possibly scaled, masked and moved; None without one."""
    ends = (node for node in _back(reading, value) if softmax_operand(reading.graph, node) is not None)
    return next(ends, None)


def is_gate(reading: Reading, value: Value) -> bool:
    """Whether the value is a saturating function's, possibly scaled and moved."""
    return any(_saturates(reading.graph, node) for node in _back(reading, value))


def is_normalizer(reading: Reading, value: Value, rooted: bool = False) -> bool:
    """Whether the value is a root or a reciprocal of sums of what depends on the image.

    `rooted` says that a root or reciprocal of this value is taken.
    """
    node = reading.graph.maker(value)
    if node is None or value not in reading.reached:
        return False
    if rooted and node.name in SUMMING:
        return True
    if node.name not in HOMOGENEOUS or node.name in SUMMING:
        return False
    rooted = rooted or node.name in ROOTS or (node.name == "integer_pow" and node.params["y"] < 0)
    read = [(v, rooted or (node.name == "div" and i == 1)) for i, v in enumerate(node.inputs) if v in reading.reached]
    return all(is_normalizer(reading, v, of) for v, of in read)


def is_normalized(step: Step) -> bool:
    """Whether the step scales or shifts the output of a normalization, as its learned bias does."""
    nodes = {node for value in step.inputs for node in _back(step.reading, value)}
    ends = [each for each in step.reading.steps if each.name in ("product", "div") and each.nodes[-1] in nodes]
    return any(each.name == "div" or normalizer(each) is not None for each in ends)


def is_centering(step: Step) -> bool:
    """Whether the step subtracts from values sums of them, scaled and moved, as their mean is."""
    if step.name != "sub" or len(step.inputs) != 2:
        return False
    value, mean = step.inputs
    sums = [node for node in _back(step.reading, mean) if node.name in SUMMING - LAYERS]
    return any(_unmoved(step.reading, node.inputs[0]) is _unmoved(step.reading, value) for node in sums)


def _only(step: Step, holds: Callable[[Value], bool]) -> int | None:
    """The position of the one input for which `holds`; None if it holds for several or for none."""
    found = [i for i, value in enumerate(step.inputs) if holds(value)]
    return found[0] if len(found) == 1 else None


def _back(reading: Reading, value: Value) -> Iterator[Node]:
    """The node that makes the value, and those before it through everything that only scales, masks and moves."""
    while (node := reading.graph.maker(value)) is not None:
        yield node
        read = [v for v in node.inputs if v in reading.reached]
        moves = node.name in MOVES | IDENTITIES or is_scaling(node, reading.reached)
        if len(read) != 1 or not moves:
            return
        value = read[0]


def _unmoved(reading: Reading, value: Value) -> Value:
    """The value before everything that only moves it or changes its precision."""
    while (node := reading.graph.maker(value)) is not None and node.name in MOVES | IDENTITIES:
        read = [v for v in node.inputs if v in reading.reached]
        if len(read) != 1:
            break
        value = read[0]
    return value


def _saturates(graph: Graph, node: Node) -> bool:
    if (body := node.body) is not None:
        last = body.maker(body.outputs[0])
        return last is not None and _saturates(body, last)
    return node.name in SATURATING
