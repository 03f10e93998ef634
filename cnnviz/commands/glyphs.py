"""One note about all characters that no font has."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def one_note() -> Iterator[None]:
    """Prints one line in place of the warnings about single names; other warnings are shown as before."""
    with warnings.catch_warnings():
        show, noted = warnings.showwarning, []

        def once(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
            if category.__name__ != "SpelledLetters":  # whose module loads matplotlib
                show(message, category, *rest, **named)
            elif not noted:
                way = "install one that has them, such as Noto Sans for their script"
                print(f"note: {message}, so such letters are spelled; {way}")
                noted.append(message)

        warnings.showwarning = once
        yield
