"""Several reductions of the same values over places in one loop over them.

XLA's CPU code reduces an array once per reduction, and each time takes as long as reading it from memory. An
elementwise combination of slices is one vectorized loop, and with complex numbers a loop for two reductions: one is the
real part, the other the imaginary part. What it leaves is reduced as usual.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax

from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.types import Array, Float

FEWEST, MOST = 4, 28  # slices: each is a term of the loop that is compiled


class Reduction(NamedTuple):
    """`combine` of two values (`jnp.add`, `jnp.maximum`, `jnp.minimum`), over `of(x)` of each value x."""

    combine: Any
    of: Callable[[Array], Array]

    def over(self, x: Float[Array, "n places c"]) -> Float[Array, "n c"]:
        """The reduction over places."""
        return self.combine.reduce(self.of(x), axis=1)


def over_places(x: Float[Array, "n places c"], reductions: Mapping[str, Reduction]) -> dict[str, Float[Array, "n c"]]:
    """Each reduction of each image's channels over places, by its name."""
    places = x.shape[1]
    count = _slices(places)
    if not is_on(Rewrite.REDUCTIONS):
        return {name: each.over(x) for name, each in reductions.items()}
    if count < FEWEST or not reductions:  # merged with what reads it, a reduction is not a library's, and slower
        return jax.lax.optimization_barrier({name: each.over(x) for name, each in reductions.items()})
    size = places // count
    slices, rest = [x[:, i * size : (i + 1) * size] for i in range(count)], x[:, count * size :]
    names, found = list(reductions), {}
    for pair in (names[i : i + 2] for i in range(0, len(names), 2)):
        both = [reductions[name] for name in pair]
        for name, each, part in zip(pair, both, _together(both, slices), strict=True):
            one = each.combine.reduce(part, axis=1)
            found[name] = each.combine(one, each.over(rest)) if rest.shape[1] else one
    return jax.lax.optimization_barrier(found)


def _together(reductions: Sequence[Reduction], slices: Sequence[Array]) -> list[Array]:
    """One or two reductions over the slices, in one loop; one alone is both parts, as its own loop is twice as slow."""
    combined = [reduce(each.combine, map(each.of, slices)) for each in reductions]
    joined = jax.lax.optimization_barrier(jax.lax.complex(combined[0], combined[-1]))
    return [joined.real, joined.imag][: len(combined)]


def _slices(places: int) -> int:
    """How many slices: the most that divide the places, or half of MOST and some places are left."""
    divisor = max(count for count in range(1, MOST + 1) if places % count == 0)
    return divisor if divisor >= FEWEST or places < MOST else MOST // 2
