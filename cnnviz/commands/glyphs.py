"""One note about all characters that the font of the pictures lacks."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WARNING = re.compile(r"Glyph \d+ .* missing from|Matplotlib currently does not support .* natively")


@contextmanager
def one_note() -> Iterator[None]:
    """Prints one line in place of matplotlib's warnings about single characters; other warnings are shown as before."""
    with warnings.catch_warnings():
        show, noted = warnings.showwarning, []

        def once(message: Warning | str, *rest: Any, **named: Any) -> None:
            if not WARNING.match(str(message)):
                show(message, *rest, **named)
            elif not noted:
                print("note: the font of the pictures lacks characters of some names; they are drawn as boxes")
                noted.append(message)

        warnings.showwarning = once
        yield
