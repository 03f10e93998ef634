"""The numbers of blocks in a network's stages, checked: a run from a stranger may ask for any."""

from typing import Any

from cnnviz.errors import InputError

MOST = 100


def check_depth(name: str, counts: Any) -> None:
    """Raises InputError unless there are 1 to 100 stages with 1 to 100 blocks each."""
    numbers = counts if isinstance(counts, tuple) else ()
    fits = 1 <= len(numbers) <= MOST and all(type(number) is int and 1 <= number <= MOST for number in numbers)
    if not fits:
        shown = f"{counts}" if len(f"{counts}") <= 60 else f"{str(counts)[:57]}..."
        raise InputError(f"{name} must be from 1 to {MOST} numbers from 1 to {MOST}; it was {shown}.")


def check_count(name: str, count: int, least: int) -> None:
    """Raises InputError unless the count is from `least` to 100."""
    if not least <= count <= MOST:
        raise InputError(f"{name} must be from {least} to {MOST}; it was {count}.")
