"""The names of functions that are spelled out in primitives: `x * sigmoid(x)` is silu, `where(x > 0, x, 0)` relu."""

from collections.abc import Callable, Collection

from cnnviz.graph.flow import Flow
from cnnviz.graph.graph import Node, Value
from cnnviz.graph.linearity import is_affine
from cnnviz.graph.pointwise import POINTWISE, is_function_of_each_value, is_pointwise
from cnnviz.graph.primitives import IDENTITIES, REDUCTIONS, RESHAPES, WINDOWS

COMPARISONS = {"gt", "ge", "lt", "le"}
ROOTS = {"rsqrt", "sqrt", "pow"}  # by which a normalization divides
LAST = {"mul", "div", "select_n", "max", "pow", "sub", "add"}  # nodes that may be the last of a spelled function


def function_name(node: Node) -> str:
    """The name of a custom call's function, or of the innermost call around a node; "" if it has none."""
    body = node.body
    inside = [_defined_as(node), *(region.name for region in body.regions[:1])] if body is not None else []
    name = str(node.params.get("name") or next(filter(None, [*inside, *node.calls[::-1]]), "")).strip("_")
    return name if name.isidentifier() else ""


def _defined_as(node: Node) -> str:
    """The name that the function of a custom call was defined by; "" if JAX does not say, or it has none to show."""
    inner = getattr(node.params.get("call_jaxpr"), "jaxpr", None)
    name = str(getattr(getattr(inner, "debug_info", None), "func_src_info", "")).partition(" ")[0].rpartition(".")[2]
    return name if name.isidentifier() and not name.startswith("_") else ""


def is_light(node: Node) -> bool:
    """Whether the node may be inside a spelled function: elementwise, a reduction, or a change of shape."""
    if (body := node.body) is not None:
        return is_function_of_each_value(body)
    return node.name in POINTWISE | REDUCTIONS | WINDOWS | RESHAPES | IDENTITIES


def spelled(flow: Flow, node: Node, inside: Collection[Node], root: Value) -> str | None:
    """The name of the function of `root` that ends in `node`, by way of the nodes `inside`; None if it has none."""
    names = {each.name for each in inside} | {function_name(each) for each in inside}
    if node.name in ("add", "sub") and _joins_halves(flow, node, inside, root):
        return "leaky_relu"
    if node.name == "add":
        return "logsumexp" if {"exp", "reduce_sum", "log"} <= names else None
    if all(is_pointwise(each, flow.depends) for each in (*inside, node)):
        return _activation(flow, node, inside, names, root)
    if node.name == "div" and {"exp", "reduce_sum"} <= names:
        return "softmax"
    if node.name == "sub":
        return "log_softmax" if {"exp", "reduce_sum", "log"} <= names else None
    reduces = bool(names & (REDUCTIONS | WINDOWS))
    return "normalize" if reduces and (node.name == "div" or (node.name == "mul" and names & ROOTS)) else None


def before(flow: Flow, root: Value, passes: Callable[[Node], bool]) -> set[Node]:
    """The nodes before `root` that belong to a function that is spelled out from there on.

    These are the exponential of a softmax, and the mean or maximum that is subtracted first.
    """
    node, found = flow.graph.maker(root), set()
    if node is not None and node.name == "exp" and passes(node):
        found.add(node)
        node = flow.graph.maker(node.inputs[0])
    if node is None or node.name != "sub" or not passes(node) or (start := flow.root(node)) is None:
        return found
    inside = flow.between(start, node, passes) or set()
    return found | {node, *inside} if any(each.name in REDUCTIONS for each in inside) else found


def _joins_halves(flow: Flow, node: Node, inside: Collection[Node], root: Value) -> bool:
    """Whether a sum is of a positive and a negative half: max(x, 0) + a * min(x, 0), or relu(x) - a * relu(-x)."""
    if root in node.inputs or not all(is_pointwise(each, flow.depends) for each in inside):
        return False
    bends = [each.name if each.body is None else function_name(each) for each in inside if not _is_scaling(flow, each)]
    is_negative = "min" in bends or any(each.name == "neg" for each in inside)
    return len(bends) == 2 and {*bends} <= {"max", "min", "relu"} and is_negative


def _activation(flow: Flow, node: Node, inside: Collection[Node], names: set[str], root: Value) -> str | None:
    """The name of an elementwise function."""
    if node.name == "mul":
        return _gated(flow, inside, names)
    if node.name == "div":
        return "silu" if "exp" in names else "soft_sign" if "abs" in names else "activation"
    bends = [each for each in inside if each.name not in COMPARISONS and not _is_scaling(flow, each)]
    if node.name == "max":
        return None if bends else "leaky_relu"
    if node.name == "select_n":
        return _switch(flow, node, bends, names, root)
    return "activation" if node.name == "pow" else None


def _gated(flow: Flow, inside: Collection[Node], names: set[str]) -> str | None:
    """The name of a product of x and a function of it."""
    cubic = "integer_pow" in names or any(sum(v in flow.depends for v in each.inputs) > 1 for each in inside)
    kinds = {
        "relu": names <= COMPARISONS | IDENTITIES | {""},
        "gelu": bool(names & {"erf", "erfc"}) or ("tanh" in names and cubic and "exp" not in names),
        "mish": "tanh" in names and bool(names & {"exp", "softplus", "logaddexp"}),
        "silu": "logistic" in names or {"exp", "div"} <= names,
        "hard_swish": bool(names & {"clamp", "relu6", "hard_sigmoid"}) or {"max", "min"} <= names,
    }
    known = next((kind for kind, holds in kinds.items() if holds), None)
    is_named = any(each.body is not None or function_name(each) for each in inside)
    return known or (None if is_named else "activation")


def _switch(flow: Flow, node: Node, bends: Collection[Node], names: set[str], root: Value) -> str:
    """The name of a function that `where(condition, x, y)` joins from two."""
    if names & {"exp", "expm1"}:
        return "elu"
    if bends:
        return "activation"
    others = [value for value in node.inputs[1:] if value is not root]
    if all(value in flow.depends for value in others):
        return "leaky_relu"
    return "relu" if root in node.inputs and all(is_constant(flow, value, 0) for value in others) else "activation"


def _is_scaling(flow: Flow, node: Node) -> bool:
    return node.name in IDENTITIES or is_affine(node, [value in flow.depends for value in node.inputs])


def is_constant(flow: Flow, value: Value, number: float | int) -> bool:
    """Whether the value is this number everywhere, by itself or broadcast."""
    node = flow.graph.maker(value)
    if node is not None and node.name in IDENTITIES | RESHAPES:
        return is_constant(flow, node.inputs[0], number)
    return value.is_number(lambda found: found == number)
