"""Which nodes of a graph are elementwise, and which of them together are one activation function.

`x * sigmoid(x)` is two nodes in which x is read twice; taken one by one, its product would be of two values that depend
on the image. Where everything that a node reads is an elementwise function of one earlier value, the nodes from there
on are one function of it: an activation, however it is spelled.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from cnnviz.graph.graph import Graph, Node, Value
from cnnviz.graph.linearity import is_affine
from cnnviz.graph.primitives import COMPLEX, ELEMENTWISE, KEEPS_SIGN, NONNEGATIVE, SUMS

POINTWISE = ELEMENTWISE - COMPLEX  # a complex number is no activation


def is_function_of_each_value(body: Graph) -> bool:
    """Whether a custom call is elementwise, as ReLU's is and softmax's is not."""
    shape = body.outputs[0].shape
    fits = lambda value: value.shape in ((), shape)
    known = lambda node: (
        node.name in POINTWISE | {"broadcast_in_dim"}
        or (node.body is not None and is_function_of_each_value(node.body))
    )
    return len(body.outputs) == 1 and all(known(node) and all(map(fits, node.inputs)) for node in body.nodes)


def is_pointwise(node: Node, depends: Collection[Value]) -> bool:
    """Whether each value of the output comes from those at the same position in the inputs among `depends`."""
    body = node.body
    known = node.name in POINTWISE if body is None else is_function_of_each_value(body)
    return known and all(value.shape == node.outputs[0].shape for value in node.inputs if value in depends)


def is_scaling(node: Node, depends: Collection[Value]) -> bool:
    """Whether the node only scales and shifts the values of its one input among `depends`."""
    reads = [value in depends for value in node.inputs]
    return node.name in POINTWISE and sum(reads) == 1 and is_affine(node, reads)


def roots(nodes: Iterable[Node], depends: Collection[Value]) -> Mapping[Value, Sequence[Value]]:
    """For each value, the values of which it is an elementwise function, with nothing else read: the nearest first."""
    found: dict[Value, list[Value]] = {}
    for node in nodes:
        read = [value for value in node.inputs if value in depends]
        shared = common(found, read) if read and is_pointwise(node, depends) else []
        found.update({value: [value, *shared] for value in node.outputs if value in depends})
    return found


def common(found: Mapping[Value, Sequence[Value]], values: Sequence[Value]) -> list[Value]:
    """The roots that all these values share, the nearest first."""
    first, *others = (found.get(value, [value]) for value in values)
    return [root for root in first if all(root in other for other in others)]


def between(graph: Graph, root: Value, node: Node, depends: Collection[Value]) -> list[Node]:
    """The nodes by which `node` is a function of `root`, in order."""
    kept, wanted = {node}, [value for value in node.inputs if value in depends and value is not root]
    while wanted:
        maker = graph.maker(wanted.pop())
        if maker is not None and maker not in kept:
            kept.add(maker)
            wanted += [value for value in maker.inputs if value in depends and value is not root]
    return [each for each in graph.nodes if each in kept]


def is_joint(node: Node, depends: Collection[Value], root: Value) -> bool:
    """Whether the node joins several functions of `root` into one activation; a sum with `root` itself stays a sum."""
    read = [value for value in node.inputs if value in depends]
    return len(read) > 1 and not (node.name in SUMS and root in read)


def is_nonnegative(graph: Graph, value: Value) -> bool:
    """Whether the graph shows that the value is never negative: a maximum with zero, possibly moved and pooled."""
    node = graph.maker(value)
    if node is None:
        return value.is_number(lambda number: number >= 0)
    if (body := node.body) is not None:
        return is_nonnegative(body, body.outputs[0])
    if node.name == "max":
        return any(is_nonnegative(graph, v) for v in node.inputs)
    if node.name in NONNEGATIVE:
        return True
    return node.name in KEEPS_SIGN and all(is_nonnegative(graph, v) for v in node.inputs)
