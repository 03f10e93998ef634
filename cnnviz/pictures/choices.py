"""Which images and which target a text means."""

from collections.abc import Sequence
from typing import Any

from cnnviz.errors import InputError, unknown

MOST_IMAGES = 64


def indices(text: str, count: int) -> list[int]:
    """The images of `count` that "0:8", "3" or "1,5,9" mean.

    Raises InputError for any other text, or for an index out of range.
    """
    try:
        parts = [int(part) if part else None for part in text.split(":")] if ":" in text else None
        found = list(range(count))[slice(*parts)] if parts is not None else [int(part) for part in text.split(",")]
    except (ValueError, TypeError):
        raise InputError(f"Images are given as 0:8, as 3, or as 1,5,9; it was {text!r}.") from None
    wrong = [i for i in found if not 0 <= i < count]
    if wrong or not found:
        raise InputError(f"There are {count} images, 0 to {count - 1}; {text!r} means {wrong or 'none of them'}.")
    if len(found) > MOST_IMAGES:
        raise InputError(f"A picture has at most {MOST_IMAGES} images; {text!r} means {len(found)}.")
    return found


def target_of(text: str, names: Sequence[str]) -> Any:
    """What is explained: "predicted", "label", a class by name or number, or a pair of those with a comma."""
    if text in names:
        return names.index(text)
    if "," in text:
        return tuple(target_of(part.strip(), names) for part in text.split(","))
    if text in ("predicted", "label"):
        return text
    if text.lstrip("-").isdigit():
        return int(text)
    raise unknown("target", text, ("predicted", "label", *names))
