"""Lists and numbers in sentences: the first names and how many more there are, and nouns in the plural."""

from collections.abc import Sequence

SHOWN = 5  # names in a list, before the others are counted


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first names, and how many more there are: "a, b and 7 more"."""
    first = ", ".join(names[:shown])
    return first if len(names) <= shown else f"{first} and {len(names) - shown:,} more"


def article(noun: str) -> str:
    """The indefinite article before a noun: "a" or "an"."""
    return "an" if noun[:1] in "aeiou" else "a"


def counted(count: int | float, noun: str) -> str:
    """A number of things: "1 image", "1,200 batches", "1.5 inches"."""
    ending = "" if count == 1 else "es" if noun.endswith(("tch", "nch", "s", "x")) else "s"
    return f"{count:{'g' if isinstance(count, float) else ','}} {noun}{ending}"


def span(most: int) -> str:
    """The whole numbers from 1: "from 1 to 8", or "1" alone."""
    return f"from 1 to {most:,}" if most > 1 else "1"


def size(shape: Sequence[int]) -> str:
    """A shape as text: 28x28x1."""
    return "x".join(map(str, shape))
