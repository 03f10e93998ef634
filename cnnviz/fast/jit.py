"""`compiled`: `jax.jit` whose convolutions are those that are fast on CPU.

By default jaxlib hands convolutions to YNNPACK, which takes up to twice as long for them as Eigen. An option leaves
YNNPACK what it is better at: products of matrices one by one (with fused ones, `LIBRARY_FUSION_TYPE_DOT`, results were
wrong) and, where not told otherwise, sums. XLA itself is slow at those that leave a small array (a bias' gradient takes
8 ms of 17 in a step over 32 images), YNNPACK at those that leave a large one (2.7 ms instead of 0.1 for 50 samples).
"""

from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

OPTION = "xla_cpu_experimental_ynn_fusion_type"
PRODUCTS, SUMS = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT", "LIBRARY_FUSION_TYPE_REDUCE"


@cache
def options(large_sums: bool = False) -> dict[str, str]:
    """What a compilation is told on this machine; asked for at the first call, since it starts JAX's backend.

    With `large_sums` its sums are mostly such as leave a large array, those over samples.
    """
    told = {OPTION: PRODUCTS if large_sums else f"{PRODUCTS},{SUMS}"}
    return told if jax.default_backend() == "cpu" and _are_known(told) else {}


def _are_known(given: dict[str, Any]) -> bool:
    try:
        jax.jit(lambda x: x + 1).lower(0.0).compile(given)  # not called: it may be asked inside another compilation
    except jax.errors.JaxRuntimeError:
        return False
    return True


def _is_traced(*arguments: Any) -> bool:
    """Whether this is a call inside another transform: its arguments are traced, or, in `jax.jit`, whatever is made."""
    return any(isinstance(value, Tracer) for value in (jnp.empty(()), *jax.tree.leaves(arguments)))


class compiled:
    """The function compiled with `jax.jit`, whose settings it takes, and with `options` where it is the outermost."""

    def __init__(self, function: Callable[..., Any], *, large_sums: bool = False, **settings: Any):
        self.plain = jax.jit(function, **settings)
        tune = lambda told: jax.jit(function, **settings, compiler_options=told) if told else self.plain
        self.tuned = cache(lambda: tune(options(large_sums)))
        update_wrapper(self, function)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        tuned = self.tuned()
        inner = tuned is not self.plain and _is_traced(arguments, named)  # where JAX refuses options
        return (self.plain if inner else tuned)(*arguments, **named)

    def cache_size(self) -> int:
        """How many compilations there are."""
        return sum(function._cache_size() for function in {self.plain, self.tuned()})  # pyright: ignore[reportAttributeAccessIssue]
