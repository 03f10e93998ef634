"""How a network ends, found in its graph: logits before a softmax or a sigmoid are explained, never probabilities."""

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.primitives import IDENTITIES, RESHAPES


def logits_of(graph: Graph, output: Value) -> Value:
    """The operand of the softmax, log-softmax or sigmoid that makes `output`; `output` itself if there is none."""
    return ending_of(graph, output)[1]


def ending_of(graph: Graph, output: Value) -> tuple[str, Value]:
    """What makes `output`, "softmax" (or its logarithm), "sigmoid" or "none", and the logits that it is made of.

    All are recognized as `jax.nn` writes them: as a call, or as arithmetic, exp(z - max z) over its sum.
    """
    node = graph.maker(_through(graph, output))
    if node is None:
        return "none", output
    if node.params.get("name", "").strip("_") in ("softmax", "log_softmax"):
        return "softmax", node.inputs[0]
    shifted = _softmax_operand(graph, node) or _log_softmax_operand(graph, node)
    if shifted is not None:
        return "softmax", _unshifted(graph, shifted)
    squashed = _sigmoid_operand(graph, node)
    return ("none", output) if squashed is None else ("sigmoid", squashed)


def _sigmoid_operand(graph: Graph, node: Node) -> Value | None:
    """z, if the node is the logistic function of z: a primitive, or 1 / (1 + exp(-z))."""
    if node.name == "logistic":
        return node.inputs[0]
    if node.name != "div" or not node.inputs[0].is_number(lambda number: number == 1):
        return None
    total = graph.maker(_through(graph, node.inputs[1]))
    if total is None or total.name != "add" or not any(value.is_number(lambda n: n == 1) for value in total.inputs):
        return None
    exp = next((made for value in total.inputs if (made := graph.maker(value)) and made.name == "exp"), None)
    negative = graph.maker(exp.inputs[0]) if exp else None
    return negative.inputs[0] if negative and negative.name == "neg" else None


def softmax_operand(graph: Graph, node: Node) -> Value | None:
    """What goes into the softmax whose last node this is, before anything is subtracted; None for any other node."""
    shifted = _softmax_operand(graph, node)
    return None if shifted is None else _unshifted(graph, shifted)


def _through(graph: Graph, value: Value) -> Value:
    """The value before everything that changes only its shape or type."""
    while (node := graph.maker(value)) is not None and node.name in IDENTITIES | RESHAPES:
        value = node.inputs[0]
    return value


def _softmax_operand(graph: Graph, node: Node) -> Value | None:
    """z, if the node is exp(z) / sum(exp(z))."""
    if node.name != "div":
        return None
    exp, total = (graph.maker(_through(graph, value)) for value in node.inputs)
    if exp is None or total is None or (exp.name, total.name) != ("exp", "reduce_sum"):
        return None
    return exp.inputs[0] if graph.maker(_through(graph, total.inputs[0])) is exp else None


def _log_softmax_operand(graph: Graph, node: Node) -> Value | None:
    """z, if the node is z - log(sum(exp(z)))."""
    chain = [node.name]
    inner = node
    while inner is not None and len(chain) < 4 and inner.inputs:
        inner = graph.maker(_through(graph, inner.inputs[1 if inner is node and len(inner.inputs) > 1 else 0]))
        chain.append(inner.name if inner else "")
    if chain != ["sub", "log", "reduce_sum", "exp"] or inner is None:
        return None
    z = node.inputs[0]
    return z if _through(graph, inner.inputs[0]) is _through(graph, z) else None


def _unshifted(graph: Graph, value: Value) -> Value:
    """z, if `value` is z - max(z), by which softmax keeps exp from overflowing; else `value`."""
    node = graph.maker(_through(graph, value))
    if node is None or node.name != "sub":
        return value
    maximum = graph.maker(_through(graph, node.inputs[1]))
    while maximum is not None and maximum.name == "max":  # max(-inf, max z)
        maximum = next((m for v in maximum.inputs if (m := graph.maker(_through(graph, v))) is not None), None)
    if maximum is None or maximum.name != "reduce_max" or maximum.inputs[0] is not node.inputs[0]:
        return value
    return node.inputs[0]
