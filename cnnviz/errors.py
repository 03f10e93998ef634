"""What a user is told when something given cannot be used: what is wrong, what was given, what would be right."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave cannot be used; the commands print it without a traceback and exit with 2."""


class InputTypeError(InputError, TypeError):
    """As InputError, where the type of what was given is the fault."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among the known ones; it suggests the nearest."""
    known = list(known)
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    return InputError(f"There is no {kind} named {name!r}{hint} Known: {', '.join(known) or 'none'}.")
