"""Short loops as straight code, so that what each iteration computes is in the graph like everything else."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, jaxpr_as_fun

from cnnviz.graph.labels import label

ITERATION = "*"  # the first character of the label that has an iteration's number


def is_short_scan(equation: JaxprEqn, longest: int) -> bool:
    """Whether the equation is a scan of at most this number of iterations."""
    return equation.primitive.name == "scan" and 0 < equation.params["length"] <= longest


def unrolled(equation: JaxprEqn) -> ClosedJaxpr:
    """A scan's equation as the jaxpr of its iterations one after another; each is labelled with its number."""
    params = equation.params
    consts, carried = _counts(equation)
    body = jaxpr_as_fun(params["jaxpr"])
    numbers = range(params["length"])

    def iterations(*arrays: Any) -> list[Any]:
        carry, rows, found = list(arrays[consts : consts + carried]), arrays[consts + carried :], {}
        for i in reversed(numbers) if params["reverse"] else numbers:
            with label(f"{ITERATION}{i}"):
                outputs = body(
                    *arrays[:consts], *carry, *(jax.lax.index_in_dim(row, i, keepdims=False) for row in rows)
                )
            carry, found[i] = outputs[:carried], outputs[carried:]
        return [*carry, *(jnp.stack(row) for row in zip(*(found[i] for i in numbers), strict=True))]

    avals: list[Any] = [variable.aval for variable in equation.invars]
    return jax.make_jaxpr(iterations)(*(jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals))


def _counts(equation: JaxprEqn) -> tuple[int, int]:
    """How many of a scan's inputs are constants and how many are carried, by either form that JAX has had of it."""
    params = equation.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carried, _ = params["ft_in"].update(equation.invars).unpack()  # since JAX 0.12
    return len(list(consts)), len(list(carried))
