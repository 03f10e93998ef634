"""Shared by all commands: options from a dataclass, and errors as one line with an exit code."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import fields, replace
from difflib import get_close_matches
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import Any

import tyro

from cnnviz.commands import faults, output
from cnnviz.commands.flags import negated
from cnnviz.errors import InputError

STYLE = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)  # --debug without --no-debug; INT instead of {None}|INT
UNREADABLE = re.compile(r"Error parsing (--\S+): no type matching (\S+) could be instantiated from \['(.*?)'\]")
INPUT_ERROR, INTERRUPTED = 2, 130
COMPRESSED = (b"\x28\xb5\x2f\xfd", b"\x78")  # how Zstandard's and zlib's data begin
FRAME = re.compile(r"^[╭╰│|+][─-]*\s*|\s*[─-]*[╮╯│|+]\s*$")  # the sides of a box, in Unicode or in ASCII
ENDS = ("For full helptext", "Argument helptext")  # what tyro adds after its error message


def run(
    command: Callable[[Any], int],
    options: type,
    arguments: Sequence[str],
    program: str,
    description: str | None = None,
    *,
    smaller: str = "the input",
) -> int:
    """Parses the arguments, runs the command and returns its exit code.

    An InputError or OSError is printed as one line on stderr, or raised with `--debug`; so is what the machine lacks,
    where the line asks to make `smaller` smaller.
    """
    with output.guarded():
        try:
            asked = parse(options, arguments, program, description)
            faults.check_machine()
            return command(asked)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            return INTERRUPTED
        except (InputError, OSError) as error:
            if "--debug" in arguments:
                raise
            print(f"{program}: {' '.join(_sentence(error).split())}", file=sys.stderr)
            return INPUT_ERROR
        except Exception as error:
            if "--debug" in arguments or (line := faults.sentence(error, smaller)) is None:
                raise
            print(f"{program}: {line}", file=sys.stderr)
            return INPUT_ERROR


def parse(options: type, arguments: Sequence[str], program: str, description: str | None = None) -> Any:
    """The options as an instance of the dataclass.

    Raises InputError if the arguments cannot be parsed; for an unknown option it suggests the closest one.
    """
    arguments, negative = negated(options, arguments)
    known = [f"--{field.name.replace('_', '-')}" for field in fields(options)]
    for argument in arguments:
        option = argument.split("=")[0].replace("_", "-")
        if option.startswith("--") and option not in (*known, "--help"):
            nearest = get_close_matches(option, known, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]}?" if nearest else "--help lists all options."
            raise InputError(f"There is no option {argument!r}; {hint}")
    with redirect_stderr(StringIO()) as stderr, redirect_stdout(output.unescaped(sys.stdout)):  # help is colored
        try:
            parsed, rest = tyro.cli(
                options,
                args=list(arguments),
                prog=program,
                description=description,
                return_unknown_args=True,
                config=STYLE,
            )
        except SystemExit as end:
            if not end.code:  # --help
                raise
            raise InputError(_unboxed(stderr.getvalue())) from end
    if rest:
        raise InputError(f"{rest[0]!r} is one argument too many; --help lists all options.")
    return replace(parsed, **negative)


def _unboxed(text: str) -> str:
    """The error message of tyro, printed in a box of several lines, as one line: the box's title and its text."""
    lines = (FRAME.sub("", line).strip() for line in text.splitlines())
    title, *body = takewhile(lambda line: not line.startswith(ENDS), (line for line in lines if line.strip("─-")))
    sentence = " ".join(body)
    if unreadable := UNREADABLE.search(sentence):
        return "{} takes {}; it was {!r}.".format(*unreadable.groups())
    return f"{title}: {sentence}"


def _sentence(error: Exception) -> str:
    """The message of an error; for one of the operating system, the file and the reason without its number."""
    if isinstance(error, InputError) or not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename or 'A file'} cannot be read or written: {error.strerror}."


def command_line(command: str) -> str:
    """How to start a command, in the way this process was started: `python train.py`, or `cnnviz train`."""
    started = Path(sys.argv[0]).name
    return f"cnnviz {command}" if started in ("cnnviz", "__main__.py") else f"python {command}.py"


def use_compilation_cache() -> None:
    """Lets JAX cache compiled programs on disk in cnnviz's cache folder, if there is one that can be written to.

    A cache that the user has set with JAX_COMPILATION_CACHE_DIR is used instead.
    """
    import jax

    from cnnviz.data import cache

    if "JAX_COMPILATION_CACHE_DIR" in os.environ or (caches := cache.folder()) is None:
        return
    folder = caches / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):  # JAX would warn of each program
        return
    _remove_damaged(folder)
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache entry")  # it compiles again
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _remove_damaged(folder: Path) -> None:
    """Removes entries of the compilation cache that are not compressed data: JAX never replaces an existing one."""
    for entry in folder.glob("*-cache"):
        with suppress(OSError):
            with entry.open("rb") as file:
                start = file.read(4)
            if not start.startswith(COMPRESSED):
                entry.unlink()
