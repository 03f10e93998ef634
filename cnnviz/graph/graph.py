"""A function's jaxpr as one flat list of nodes, calls inlined: what everything that reads or rewrites a model reads.

`jit` and `remat` are inlined, so a value sown inside them is an ordinary value of the graph. `custom_jvp` and
`custom_vjp` stay one node, since inlining them would lose their derivative (ReLU's at zero, say); their inside can be
read through `Node.body`. Loops and branches (`scan`, `while`, `cond`) stay one node too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

from cnnviz.graph.primitives import CALLS, CUSTOM_CALLS

Whole = Callable[["Graph"], bool]  # whether a custom call of this body stays one node


@dataclass(frozen=True, eq=False)
class Value:
    """One array of the graph, known by its identity; `constant` holds it where it depends on no input."""

    shape: tuple[int, ...]
    dtype: Any
    constant: Any = None

    def is_number(self, holds: Callable[[np.ndarray], Any]) -> bool:
        """Whether this is one constant number, known while tracing, for which `holds` is true."""
        constant = self.constant
        if constant is None or self.shape != () or isinstance(constant, Tracer):
            return False
        return jnp.issubdtype(self.dtype, jnp.number) and bool(holds(np.asarray(constant)))


@dataclass(frozen=True, eq=False)
class Node:
    """One primitive applied to values; `calls` names the calls around it, outermost first (`("relu",)`)."""

    equation: JaxprEqn
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    calls: tuple[str, ...]
    scope: str = ""  # the modules around it, as Flax names them: "CNN/conv1"

    @property
    def name(self) -> str:
        return self.equation.primitive.name

    @property
    def params(self) -> Mapping[str, Any]:
        return self.equation.params

    @property
    def body(self) -> "Graph | None":
        """The inside of a custom_jvp or custom_vjp call, over values of its own; None for any other node."""
        return Graph.of_jaxpr(_called(self.equation)) if self.name in CUSTOM_CALLS else None

    def apply(self, *arrays: Any) -> Sequence[Any]:
        """What the primitive gives for these inputs, its own derivative rules kept."""
        primitive = self.equation.primitive
        with self.equation.ctx.manager, jax.named_scope(self.scope) if self.scope else nullcontext():
            outputs = primitive.bind(*arrays, **primitive.get_bind_params(self.equation.params))
        return outputs if primitive.multiple_results else [outputs]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in the order of execution, between inputs and outputs."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    made_by: Mapping[Value, int] = field(init=False)  # value -> index of the node that makes it

    def __post_init__(self):
        made_by = {value: i for i, node in enumerate(self.nodes) for value in node.outputs}
        object.__setattr__(self, "made_by", made_by)

    @classmethod
    def of(cls, function: Callable, *arguments: Any, whole: Whole = lambda body: True) -> "tuple[Graph, Any]":
        """The graph of `function` at arguments of these shapes (nothing is computed), and its output's tree.

        A custom_jvp or custom_vjp call is one node where `whole(its body)`, and is inlined where not.
        """
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        return cls.of_jaxpr(closed, whole), jax.tree.structure(shapes)

    @classmethod
    def of_jaxpr(cls, closed: ClosedJaxpr, whole: Whole = lambda body: True) -> "Graph":
        inputs = tuple(Value(v.aval.shape, v.aval.dtype) for v in closed.jaxpr.invars)
        nodes: list[Node] = []
        outputs = _inline(closed, inputs, (), "", whole, nodes)
        return cls(inputs, tuple(outputs), tuple(nodes))

    def maker(self, value: Value) -> Node | None:
        """The node that makes `value`; None for an input or a constant."""
        return self.nodes[self.made_by[value]] if value in self.made_by else None

    def depending(self, counts: Callable[[Value], bool] = lambda value: True) -> set[Value]:
        """The inputs and the values that depend on them by others that count."""
        depends = set(self.inputs)
        for node in self.nodes:
            if depends.intersection(node.inputs):
                depends.update(filter(counts, node.outputs))
        return depends

    def needed(self, wanted: Iterable[Value]) -> list[Node]:
        """The nodes without which the wanted values cannot be computed, in order."""
        live, kept = set(wanted), []
        for node in reversed(self.nodes):
            if live.intersection(node.outputs):
                live.update(node.inputs)
                kept.append(node)
        return kept[::-1]

    def evaluate(
        self,
        arrays: Sequence[Any],
        wanted: Sequence[Value],
        offsets: Mapping[Value, Any] | None = None,
        apply: Callable[..., Sequence[Any]] = Node.apply,
    ) -> list[Any]:
        """The wanted values for these inputs, each value in `offsets` shifted for all that comes after it.

        Only the nodes that the wanted values need are computed, each by `apply(node, *arrays)`.
        """
        offsets = offsets or {}
        shifted = lambda value, array: array + offsets[value] if value in offsets else array
        known = {value: shifted(value, array) for value, array in zip(self.inputs, arrays, strict=True)}
        read = lambda value: known[value] if value.constant is None else value.constant
        for node in self.needed(wanted):
            outputs = apply(node, *map(read, node.inputs))
            known.update({value: shifted(value, array) for value, array in zip(node.outputs, outputs, strict=True)})
        return [read(value) for value in wanted]


def _called(equation: JaxprEqn) -> ClosedJaxpr:
    """The jaxpr that a call equation calls; remat holds one without constants, which newer JAX keeps in every jaxpr."""
    params = equation.params
    inner: Any = next(params[k] for k in ("call_jaxpr", "fun_jaxpr", "jaxpr") if k in params)
    return inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ())


def _like(aval: Any, *constant: Any) -> Value:
    return Value(aval.shape, aval.dtype, *constant)


def _inline(
    closed: ClosedJaxpr, inputs: Sequence[Value], calls: tuple[str, ...], scope: str, whole: Whole, nodes: list[Node]
) -> list[Value]:
    """Appends the nodes of `closed` to `nodes` and returns its outputs.

    Values are made anew at every inlining: one cached jaxpr may be called twice.
    """
    constants = [Value(c.shape, c.dtype, c) for c in closed.consts]
    values = dict(zip(closed.jaxpr.constvars + closed.jaxpr.invars, [*constants, *inputs], strict=True))

    def read(atom: Any) -> Value:
        return _like(atom.aval, atom.val) if isinstance(atom, Literal) else values[atom]

    for equation in closed.jaxpr.eqns:
        arguments = tuple(map(read, equation.invars))
        here = "/".join(filter(None, (scope, str(equation.source_info.name_stack))))
        if _is_inlined(equation, whole):
            name = equation.params.get("name", equation.primitive.name)
            outputs = _inline(_called(equation), arguments, (*calls, name), here, whole, nodes)
        else:
            outputs = [_like(v.aval) for v in equation.outvars]
            nodes.append(Node(equation, arguments, tuple(outputs), calls, here))
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in closed.jaxpr.outvars]


def _is_inlined(equation: JaxprEqn, whole: Whole) -> bool:
    name = equation.primitive.name
    return name in CALLS or (name in CUSTOM_CALLS and not whole(Graph.of_jaxpr(_called(equation))))
