"""The primitives that the page's interpreter computes, and their parameters as JSON values."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.graph import Node

# those of page/operations.js; a test compares the two
SUPPORTED = frozenset(
    """
    abs acos acosh add add_any and argmax argmin asin asinh atan atan2 atanh broadcast_in_dim cbrt ceil clamp
    concatenate conv_general_dilated convert_element_type copy cos cosh cummax cummin cumprod cumsum div dot_general
    dynamic_slice eq erf erfc exp exp2 expand_dims expm1 floor ge gt integer_pow iota is_finite le log log1p logistic
    lt max min mul name ne neg not optimization_barrier or pad pow reduce_and reduce_max reduce_min reduce_or
    reduce_precision reduce_prod reduce_sum reduce_window_max reduce_window_min reduce_window_sum rem reshape rev round
    rsqrt select_and_scatter_add select_n sharding_constraint sign sin sinh slice split sqrt
    square squeeze stop_gradient sub tan tanh transpose xor
    """.split()
)
CONVOLUTION = ("lhs_spec", "rhs_spec", "out_spec")


def parameters(node: Node) -> dict[str, Any]:
    """The primitive's parameters that decide what it computes."""
    found = {name: _plain(value) for name, value in node.params.items() if name != "dimension_numbers"}
    numbers = node.params.get("dimension_numbers")
    if node.name == "conv_general_dilated":
        found |= {name: list(getattr(numbers, name)) for name in CONVOLUTION}
    elif node.name == "dot_general" and numbers is not None:
        (lhs, rhs), (lhs_batch, rhs_batch) = numbers
        found |= {"contract": [list(lhs), list(rhs)], "batch": [list(lhs_batch), list(rhs_batch)]}
    if "select_prim" in node.params:
        found["select"] = str(node.params["select_prim"])
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    """A number, a text or a list of these; None for anything else."""
    if isinstance(value, np.integer | np.floating):
        return value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return np.dtype(value).name
    return None if isinstance(value, Mapping) else _named(value)


def _named(value: Any) -> str | None:
    """The name of an entry of an enumeration, such as RoundingMethod.TO_NEAREST_EVEN."""
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else None
