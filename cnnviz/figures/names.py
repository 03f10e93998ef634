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
            found[i] = _differing(own, common, width, size) or found[i]
    for places in _alike(found, names):
        for i in places:
            number = f" ({i + 1})"
            found[i] = fitted(found[i], width - width_of(number, size, current_style().font), size) + number
    return found


def _differing(parts: Sequence[str], common: set[str], width: float, size: Size) -> str:
    """The parts of a name that are not common, each after the part that it follows if there is room, or nothing."""
    own = {i for i, part in enumerate(parts) if part not in common}
    texts = ("".join(parts[i] for i in sorted(kept)).strip(" ,:/()") for kept in (own | {i - 1 for i in own if i}, own))
    whole = [f"…{text}" for text in texts if text]
    fitting = (text for text in whole if width_of(text, size, current_style().font) <= width)
    return next(fitting, fitted(whole[-1], width, size) if whole else "")


def _alike(found: Sequence[str], names: Sequence[str]) -> Iterator[list[int]]:
    """The places of different names that look alike."""
    groups = defaultdict(list)
    for i, text in enumerate(found):
        groups[text].append(i)
    yield from (places for places in [*groups.values()] if len({names[i] for i in places}) > 1)
