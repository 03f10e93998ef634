"""A function's jaxpr as one flat list of nodes, with calls inlined: everything that reads or rewrites a model uses it.

`jit` and `remat` are inlined, so a value sown inside them is an ordinary value of the graph. A `custom_jvp` or
`custom_vjp` call stays one node, since inlining it would lose its derivative (ReLU's at zero, for example); `Node.body`
is its inside. Loops and branches (`scan`, `while`, `cond`) stay one node too, but for a short `scan` if that is asked,
and a `cond` or `switch` whose branch depends on no input. A reshape in another order is a transpose and a reshape.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

from cnnviz.graph.labels import MARK, split
from cnnviz.graph.primitives import CALLS, CUSTOM_CALLS
from cnnviz.graph.unroll import is_short_scan, unrolled

MOST_SHOWN = 100  # nodes in a notebook
Opaque = Callable[["Graph"], bool]  # whether a custom call with this body stays one node


@dataclass(frozen=True, eq=False)
class Value:
    """One array of the graph, compared by identity; `constant` is the array itself if it depends on no input."""

    shape: tuple[Any, ...]  # numbers, or in an export a symbol for that of the images
    dtype: Any
    constant: Any = None

    def __repr__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"

    def is_number(self, holds: Callable[[np.ndarray], Any]) -> bool:
        """Whether this is one constant number, known while tracing, for which `holds` is true."""
        constant = self.constant
        if constant is None or self.shape != () or isinstance(constant, Tracer):
            return False
        return jnp.issubdtype(self.dtype, jnp.number) and bool(holds(np.asarray(constant)))


@dataclass(frozen=True, eq=False)
class Node:
    """One primitive applied to values; `calls` are the names of the calls around it, outermost first: `("relu",)`."""

    equation: JaxprEqn
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    calls: tuple[str, ...]
    scope: str = ""  # the modules around it, as Flax names them: "CNN/conv1"
    labels: tuple[str, ...] = ()  # those around it (`graph.labels`), the outermost first

    def __repr__(self) -> str:
        given, made = (", ".join(map(repr, values)) for values in (self.inputs, self.outputs))
        return f"{self.name}({given}) -> {made}" + (f" in {self.scope}" if self.scope else "")

    @property
    def name(self) -> str:
        """The primitive's name, as in `graph.primitives`."""
        return self.equation.primitive.name

    @property
    def params(self) -> Mapping[str, Any]:
        """The primitive's parameters."""
        return self.equation.params

    @property
    def place(self) -> str:
        """The modules and calls around it, as errors name its place."""
        return "/".join(filter(None, (self.scope, *self.calls))) or "the model"

    @cached_property
    def body(self) -> "Graph | None":
        """The inside of a custom_jvp or custom_vjp call, with its own values; None for any other node."""
        return Graph.of_jaxpr(_called(self.equation)) if self.name in CUSTOM_CALLS else None

    def apply(self, *arrays: Any) -> Sequence[Any]:
        """The primitive's outputs for these inputs, one array per output; its derivative rules are kept."""
        primitive = self.equation.primitive
        with self.equation.ctx.manager, jax.named_scope(self.scope) if self.scope else nullcontext():
            outputs = primitive.bind(*arrays, **primitive.get_bind_params(self.equation.params))
        return outputs if primitive.multiple_results else [outputs]


class Mark(NamedTuple):
    """A value that the function marked, the text it was marked with, and the labels around it."""

    text: str
    value: Value
    labels: tuple[str, ...]


class Region(NamedTuple):
    """The nodes that one call was inlined to: those from `first` up to `end`, and the call's outputs."""

    name: str
    first: int
    end: int
    outputs: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """The nodes between inputs and outputs, in order of execution; `regions` has a call before those inside it."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    marks: tuple[Mark, ...] = ()
    regions: tuple[Region, ...] = ()
    made_by: Mapping[Value, int] = field(init=False)  # value -> index of the node that makes it

    def __post_init__(self):
        made_by = {value: i for i, node in enumerate(self.nodes) for value in node.outputs}
        object.__setattr__(self, "made_by", made_by)

    def __repr__(self) -> str:
        given, made = (", ".join(map(repr, values)) for values in (self.inputs, self.outputs))
        return f"Graph({len(self.nodes):,} nodes: {given} -> {made})"

    def _repr_html_(self) -> str:
        """The first nodes, one per line, as a notebook shows them."""
        lines = [repr(self), *(f"{i:4d} {node!r}" for i, node in enumerate(self.nodes[:MOST_SHOWN]))]
        more = [f"     and {left:,} more"] if (left := len(self.nodes) - MOST_SHOWN) > 0 else []
        return f"<pre>{escape(chr(10).join([*lines, *more]))}</pre>"

    @classmethod
    def of(
        cls, function: Callable, *arguments: Any, opaque: Opaque = lambda body: True, unroll: int = 0
    ) -> "tuple[Graph, Any]":
        """The graph of `function` for arguments of these shapes (nothing is computed), and its output's tree.

        A custom_jvp or custom_vjp call is one node if `opaque(its body)`, and is inlined otherwise. A scan of at most
        `unroll` iterations is inlined too, each iteration with a label of its number.
        """
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        return cls.of_jaxpr(closed, opaque, unroll), jax.tree.structure(shapes)

    @classmethod
    def of_jaxpr(cls, closed: ClosedJaxpr, opaque: Opaque = lambda body: True, unroll: int = 0) -> "Graph":
        """The graph of a jaxpr; `opaque` and `unroll` as in `of`."""
        inputs = tuple(Value(v.aval.shape, v.aval.dtype) for v in closed.jaxpr.invars)
        found = _Inlining(opaque, unroll)
        outputs = found.inline(closed, inputs, (), "")
        return cls(inputs, tuple(outputs), tuple(found.nodes), tuple(found.marks), tuple(found.regions))

    def maker(self, value: Value) -> Node | None:
        """The node that makes `value`; None for an input or a constant."""
        return self.nodes[self.made_by[value]] if value in self.made_by else None

    def seen_again(self, node: Node) -> Value | None:
        """The value that a reshape gives back in the shape that it had before another one; None for any other node."""
        if node.name != "reshape" or (before := self.maker(node.inputs[0])) is None or before.name != "reshape":
            return None
        return before.inputs[0] if before.inputs[0].shape == node.outputs[0].shape else None

    def depending(self, counts: Callable[[Value], bool] = lambda value: True) -> set[Value]:
        """The inputs, and the values that depend on them through values that count."""
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

    def held(self, value: Value) -> Any | None:
        """The array that a value is whatever the inputs are; None if it depends on them, or on what is being traced."""
        read = {value, *(each for node in self.needed([value]) for each in node.inputs)}
        known = lambda each: each in self.made_by or not (each.constant is None or isinstance(each.constant, Tracer))
        if not all(map(known, read)):
            return None
        with jax.ensure_compile_time_eval():
            return self.evaluate([None] * len(self.inputs), [value])[0]

    def evaluate(
        self,
        arrays: Sequence[Any],
        wanted: Sequence[Value],
        offsets: Mapping[Value, Any] | None = None,
        apply: Callable[..., Sequence[Any]] = Node.apply,
    ) -> list[Any]:
        """The wanted values for these inputs: one array per value, of its shape.

        To each value in `offsets`, its offset is added before it is used further. Only the nodes that the wanted values
        need are computed, each by `apply(node, *arrays)`, which may replace what it gives; without it and an offset
        between, a value that is reshaped and reshaped back is itself.
        """
        offsets = offsets or {}
        shifted = lambda value, array: array + offsets[value] if value in offsets else array
        known = {value: shifted(value, array) for value, array in zip(self.inputs, arrays, strict=True)}
        read = lambda value: known[value] if value.constant is None else value.constant
        for node in self.needed(wanted):
            plain = apply is Node.apply and offsets.keys().isdisjoint(node.inputs)
            same = self.seen_again(node) if plain else None
            outputs = apply(node, *map(read, node.inputs)) if same is None else [read(same)]
            known.update({value: shifted(value, array) for value, array in zip(node.outputs, outputs, strict=True)})
        return [read(value) for value in wanted]


def _called(equation: JaxprEqn) -> ClosedJaxpr:
    """The jaxpr that an equation calls, closed: that of remat has no constants in some versions of JAX."""
    params = equation.params
    inner: Any = next(params[k] for k in ("call_jaxpr", "fun_jaxpr", "jaxpr") if k in params)
    return inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ())


def _transposed(equation: JaxprEqn) -> ClosedJaxpr:
    """A reshape that permutes axes first as a transpose and a reshape that does not, which shapes alone describe."""
    operand: Any = equation.invars[0].aval
    params = equation.params
    apart = lambda x: jax.lax.reshape(jax.lax.transpose(x, params["dimensions"]), params["new_sizes"])
    return jax.make_jaxpr(apart)(jax.ShapeDtypeStruct(operand.shape, operand.dtype))


def _like(aval: Any, *constant: Any) -> Value:
    return Value(aval.shape, aval.dtype, *constant)


@dataclass(eq=False)
class _Inlining:
    """What is found while a jaxpr is made one flat list of nodes."""

    opaque: Opaque
    unroll: int
    nodes: list[Node] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def inline(self, closed: ClosedJaxpr, inputs: Sequence[Value], calls: tuple[str, ...], scope: str) -> list[Value]:
        """Append the nodes of `closed` and return its outputs.

        Every inlining makes new values, since one cached jaxpr may be called twice.
        """
        constants = [Value(c.shape, c.dtype, c) for c in closed.consts]
        values = dict(zip(closed.jaxpr.constvars + closed.jaxpr.invars, [*constants, *inputs], strict=True))

        def read(atom: Any) -> Value:
            return _like(atom.aval, atom.val) if isinstance(atom, Literal) else values[atom]

        for equation in closed.jaxpr.eqns:
            here = "/".join(filter(None, (scope, str(equation.source_info.name_stack))))
            outputs = self.outputs(equation, tuple(map(read, equation.invars)), calls, here)
            values.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in closed.jaxpr.outvars]

    def outputs(
        self, equation: JaxprEqn, inputs: tuple[Value, ...], calls: tuple[str, ...], scope: str
    ) -> Sequence[Value]:
        """The outputs of one equation: a node's, those of the nodes that it is inlined to, or what it marks."""
        name = equation.primitive.name
        if name == "name" and equation.params["name"].startswith(MARK):
            self.marks.append(Mark(equation.params["name"].removeprefix(MARK), inputs[0], split(scope)[1]))
            return inputs
        if is_short_scan(equation, self.unroll):
            return self.inline(unrolled(equation), inputs, calls, scope)
        if name == "cond" and (index := Graph((), (), tuple(self.nodes)).held(inputs[0])) is not None:
            branches = equation.params["branches"]
            return self.inline(branches[np.clip(int(index), 0, len(branches) - 1)], inputs[1:], calls, scope)
        if name == "reshape" and equation.params["dimensions"] is not None:
            return self.inline(_transposed(equation), inputs, calls, scope)
        if self.is_inlined(equation):
            return self.region(equation, inputs, calls, scope)
        outputs = tuple(_like(v.aval) for v in equation.outvars)
        self.nodes.append(Node(equation, inputs, outputs, calls, *split(scope)))
        return outputs

    def region(
        self, equation: JaxprEqn, inputs: tuple[Value, ...], calls: tuple[str, ...], scope: str
    ) -> Sequence[Value]:
        """The outputs of a call, whose nodes are noted as one region."""
        name, first, place = equation.params.get("name", equation.primitive.name), len(self.nodes), len(self.regions)
        outputs = self.inline(_called(equation), inputs, (*calls, name), scope)
        self.regions.insert(place, Region(name, first, len(self.nodes), tuple(outputs)))
        return outputs

    def is_inlined(self, equation: JaxprEqn) -> bool:
        name = equation.primitive.name
        return name in CALLS or (name in CUSTOM_CALLS and not self.opaque(Graph.of_jaxpr(_called(equation))))
