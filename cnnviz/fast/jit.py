"""`compiled`: `jax.jit` with the compiler options that make convolutions fast on CPU.

By default jaxlib hands convolutions to YNNPACK, which takes up to twice as long for them as Eigen. The option leaves
them to Eigen. YNNPACK keeps single matrix products (fused ones, `LIBRARY_FUSION_TYPE_DOT`, gave wrong results) and, by
default, reductions: XLA's own reductions to small arrays are slow (a bias gradient takes 8 ms of 17 in a step over 32
images), YNNPACK's to large arrays are (2.7 ms instead of 0.1 for 50 samples).
"""

from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend.core import get_opaque_trace_state

from cnnviz.fast.switch import Rewrite, is_on

OPTION = "xla_cpu_experimental_ynn_fusion_type"
PRODUCTS, REDUCTIONS = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT", "LIBRARY_FUSION_TYPE_REDUCE"


def options(large_sums: bool = False) -> dict[str, str]:
    """The compiler options for this machine; empty where jaxlib does not know them, or the rewrite is off.

    With `large_sums`, most reductions of the function leave large arrays, as sums over samples do. The first call
    starts JAX's backend.
    """
    kept = PRODUCTS if large_sums else f"{PRODUCTS},{REDUCTIONS}"
    return {OPTION: kept} if is_on(Rewrite.COMPILER_OPTIONS) and are_known(((OPTION, kept),)) else {}


@cache
def are_known(options: tuple[tuple[str, str], ...]) -> bool:
    """Whether this jaxlib accepts these compiler options, given as pairs of a name and a value."""
    try:
        jax.jit(lambda x: x + 1).lower(0.0).compile(dict(options))  # not called: this may be inside another compilation
    except jax.errors.JaxRuntimeError:
        return False
    return True


def _is_traced(*arguments: Any) -> bool:
    """Whether this is a call inside another transform: its arguments are traced, or, in `jax.jit`, every new array."""
    made = () if get_opaque_trace_state() == _outside() else (jnp.empty(()),)  # which takes 15 microseconds
    return any(isinstance(value, Tracer) for value in (*made, *jax.tree.leaves(arguments)))


@cache
def _outside() -> Any:
    """The state of JAX outside of all transforms."""
    with jax.ensure_compile_time_eval():
        return get_opaque_trace_state()


class compiled:
    """The function compiled with `jax.jit`, whose settings it takes.

    The outermost call is compiled with `options`; inside another transform, where JAX refuses them, without.
    """

    def __init__(self, function: Callable[..., Any], *, large_sums: bool = False, **settings: Any):
        self.plain = jax.jit(function, **settings)
        tune = lambda found: jax.jit(function, **settings, compiler_options=found) if found else self.plain
        self.tuned = cache(lambda: tune(options(large_sums)))
        update_wrapper(self, function)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        tuned = self.tuned()
        inner = tuned is not self.plain and _is_traced(arguments, named)
        return (self.plain if inner else tuned)(*arguments, **named)

    def cache_size(self) -> int:
        """How many compilations there are."""
        return sum(function._cache_size() for function in {self.plain, self.tuned()})  # pyright: ignore[reportAttributeAccessIssue]
