"""The errors that a user sees: what is wrong, what was given, what would be right."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnviz.errors.meant import meant
from cnnviz.errors.wording import article, listed


class InputError(ValueError):
    """An input that cannot be used; the commands print it without a traceback and exit with code 2.

    Its message may quote any file or library: control characters are escaped as in a Python literal.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(_escaped(part) if isinstance(part, str) else part for part in arguments))


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class OptionError(InputError):
    """An InputError about the value of one option or field, whose name its message begins with."""

    @property
    def typed(self) -> str:
        """The message about the option as it is typed: "--batch-size must be ..."."""
        name, space, fault = str(self).partition(" ")
        return f"--{name.replace('_', '-')}{space}{fault}"


class InputTypeError(InputError, TypeError):
    """An InputError about an input's type."""


class OutOfMemory(InputError, MemoryError):
    """An InputError about what needs more memory than there is; it says how much, and what to make smaller."""


def unknown(kind: str, name: Any, known: Iterable[str], suggested: Sequence[str] = ()) -> InputError:
    """The error for a name that is not in `known`; it suggests what was probably meant, by default a near name."""
    known = list(known)
    hints = " or ".join(map(repr, suggested or meant(str(name), known)))
    hint = f"; did you mean {hints}?" if hints else "."
    return InputError(f"{str(name)!r} is not {article(kind)} {kind}{hint} Known: {', '.join(known) or 'none'}.")


def check_known(kind: str, name: Any, known: Iterable[str]) -> None:
    """Raises the error of `unknown` unless `name` is one of the known names; anything but a string is unknown too."""
    if not isinstance(name, str) or name not in (known := list(known)):
        raise unknown(kind, name, known)


def no_run(path: Any) -> InputError:
    """The error for a place that is not a run; of a folder that holds some it names them."""
    if inner := sorted(file.parent.name for file in Path(path).glob("*/config.json")):
        return InputError(f"{path} is a folder with runs in it ({listed(inner)}); name one of them.")
    return InputError(f"{path} is not a run: it has no config.json; give a directory that train.py has made.")


def run_exists(path: Any) -> str:
    """The sentence for a new run in a place where one is."""
    return f"The run {path} exists; go on with it by --resume, or choose another --name."


def no_seed(run: Any, seed: int, seeds: Iterable[int]) -> InputError:
    """The error for a seed that none of a run's networks has."""
    return InputError(f"{run} has no seed {seed}; it has {', '.join(map(str, seeds))}.")


def no_step(run: Any, step: Any, steps: Iterable[int]) -> InputError:
    """The error for a step whose checkpoint a run does not keep."""
    return InputError(f"{run} keeps no step {step}; it keeps {', '.join(map(str, steps))}.")


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Raises InputError, with the line that installs the extra, where a package is missing; `what` cannot be done."""
    try:
        yield
    except ImportError as error:
        raise InputError(f'{what} ({error}); install it by: pip install "cnnviz[{extra}]".') from error
