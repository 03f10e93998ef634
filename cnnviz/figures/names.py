"""Names that are shortened for their room and can still be told apart."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from cnnviz.figures.style import current_style, fitted
from cnnviz.figures.text import Size, width_of

PART = re.compile(r"[^ /:]+[ /:]*")


def distinct(names: Sequence[str], width: float, size: Size) -> list[str]:
    """The names, shortened to at most `width` inches at `size` points.

    Of different names that would look alike, what differs is left, and if that looks alike too, their place follows.
    """
    found = [fitted(name, width, size) for name in names]
    for places in _alike(found, names):
        parts = [PART.findall(names[i]) for i in places]
        common = set.intersection(*map(set, parts))
        for i, own in zip(places, parts, strict=True):
            rest = "".join(part for part in own if part not in common).strip()
            found[i] = fitted(f"…{rest}", width, size) if rest else found[i]
    for places in _alike(found, names):
        for i in places:
            number = f" ({i + 1})"
            found[i] = fitted(found[i], width - width_of(number, size, current_style().font), size) + number
    return found


def _alike(found: Sequence[str], names: Sequence[str]) -> Iterator[list[int]]:
    """The places of different names that look alike."""
    groups = defaultdict(list)
    for i, text in enumerate(found):
        groups[text].append(i)
    yield from (places for places in [*groups.values()] if len({names[i] for i in places}) > 1)
