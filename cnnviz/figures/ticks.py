"""Ticks at round numbers: one, two, two and a half or five times a power of ten apart."""

from typing import Any

from matplotlib.ticker import MaxNLocator

ROUND = (1, 2, 2.5, 5, 10)


def round_locator(most: int, **options: Any) -> MaxNLocator:
    """At most so many intervals between round numbers; matplotlib's own ticks may be 0.15 or 0.08 apart.

    Options are those of `MaxNLocator`.
    """
    return MaxNLocator(most, **{"steps": list(ROUND), **options})
