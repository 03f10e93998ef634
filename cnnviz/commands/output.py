"""Printing that cannot steer a terminal and cannot fail.

Names of layers, classes and files may come from a stranger and hold control characters, which are printed as `\\x1b`.
A stream that is closed, full or a broken pipe drops what is printed, and the command goes on.
"""

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from types import TracebackType
from typing import Any

# C0 without tab and newline, DEL, C1, line separators, and what changes the direction of text.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Output(io.TextIOBase):
    """A text stream that writes to another one, escaped; with `steers`, control characters pass as they are."""

    last_written = 0.0  # by the monotonic clock, of all streams

    def __init__(self, stream: Any, steers: bool = False) -> None:
        self.stream: Any = stream  # None once it has failed
        self.steers = steers

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the other stream."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """Whether this is a terminal that obeys control characters; libraries color what they print only there."""
        with suppress(OSError, ValueError):
            return self.steers and self.stream is not None and self.stream.isatty()
        return False

    def fileno(self) -> int:
        """The descriptor of the other stream; raises io.UnsupportedOperation if it has none."""
        return super().fileno() if self.stream is None else self.stream.fileno()

    def write(self, text: str) -> int:
        """Writes the text; characters that the encoding lacks are escaped too."""
        shown = text if self.steers else escaped(text)
        Output.last_written = time.monotonic()
        with self._dropped_if_it_fails():
            if self.stream is not None:
                self.stream.write(shown.encode(self.encoding, "backslashreplace").decode(self.encoding))
        return len(text)

    def flush(self) -> None:
        """Flushes the other stream."""
        with self._dropped_if_it_fails():
            if self.stream is not None:
                self.stream.flush()

    @contextmanager
    def _dropped_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # a ValueError if it was closed in Python
            stream, self.stream = self.stream, None
            with suppress(OSError, ValueError):
                _discard(stream.fileno())  # else flushing what is left would fail at the interpreter's end


@contextmanager
def guarded() -> Iterator[None]:
    """Lets everything that is printed to stdout and stderr pass through Output."""
    for number, stream in enumerate((sys.stdout, sys.stderr), 1):
        if stream is None:
            _reserve(number)
    with redirect_stdout(Output(_inner(sys.stdout))) as out, redirect_stderr(Output(_inner(sys.stderr))) as err:
        try:
            yield
        except Exception:
            sys.excepthook = _print_traceback  # the interpreter prints it after this block
            raise
        finally:
            out.flush()
            err.flush()


def unescaped(stream: Any) -> Output:
    """The stream for what moves the cursor or has colors, and holds no names from a stranger."""
    return Output(_inner(stream), steers=True)


def escaped(text: str) -> str:
    """The text with its control characters as `\\x1b`, but for tabs and newlines."""
    return STEERING.sub(lambda found: _escape(found[0]), text)


def is_of_the_system(stream: Any) -> bool:
    """Whether the stream has a descriptor, as those of a notebook have not."""
    with suppress(OSError, ValueError, AttributeError):
        return Output.fileno(Output(_inner(stream))) >= 0
    return False


def _inner(stream: Any) -> Any:
    return stream.stream if isinstance(stream, Output) else stream


def _escape(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"


def _print_traceback(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    with guarded():
        sys.__excepthook__(kind, error, traceback)


def _reserve(number: int) -> None:
    """Opens a descriptor that is closed: a file with its number would receive what libraries print."""
    try:
        os.fstat(number)
    except OSError:
        _discard(number)


def _discard(number: int) -> None:
    """Lets a descriptor discard what is written to it."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)
