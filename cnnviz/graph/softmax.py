"""The logits before a network's final softmax, found in its graph: logits are explained, never probabilities."""

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.primitives import IDENTITIES, RESHAPES


def logits_of(graph: Graph, output: Value) -> Value:
    """The operand of the softmax or log-softmax that makes `output`; `output` itself if there is none.

    Both are recognized as `jax.nn` writes them: as a call, or as its arithmetic, exp(z - max z) over its sum.
    """
    node = graph.maker(_through(graph, output))
    if node is None:
        return output
    if node.params.get("name", "").strip("_") in ("softmax", "log_softmax"):
        return node.inputs[0]
    shifted = _softmax_operand(graph, node) or _log_softmax_operand(graph, node)
    return _unshifted(graph, shifted) if shifted is not None else output


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
