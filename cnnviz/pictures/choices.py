"""Parsing of the options that choose images and a target."""

from collections.abc import Sequence
from typing import Any

from cnnviz.errors import InputError, unknown

MOST_IMAGES = 64


def indices(text: str, count: int) -> list[int]:
    """The indices that "0:8", "3" or "1,5,9" select from `count` images.

    Raises InputError for any other text, for an index out of range, or for more than 64 images.
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
    """The target to explain: "predicted", "label", a class by name or number, or two of these with a comma.

    Raises InputError for any other text.
    """
    if text in names:
        return names.index(text)
    if "," in text:
        return tuple(target_of(part.strip(), names) for part in text.split(","))
    if text in ("predicted", "label"):
        return text
    if text.lstrip("-").isdigit():
        return int(text)
    raise unknown("target", text, ("predicted", "label", *names))
