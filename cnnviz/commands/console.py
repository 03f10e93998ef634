"""Shared by all commands: options from a dataclass, and errors as one line with an exit code."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import fields, replace
from io import StringIO
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import tyro

from cnnviz.commands import faults, help, kinds, output
from cnnviz.commands.choices import check_names, option_for
from cnnviz.commands.declared import fields_of
from cnnviz.commands.flags import check_once, negated, without_value
from cnnviz.commands.numbers import check_numbers
from cnnviz.commands.option_names import is_option, without_option
from cnnviz.commands.places import is_network
from cnnviz.errors import InputError, OptionError

STYLE = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)  # --debug without --no-debug; INT instead of {None}|INT
WORDED = {  # errors of tyro's, in our words
    re.compile(r"Error parsing (--\S+): no type matching (\S+) could be instantiated from \['(.*?)'\]"): (
        "{} takes {}; it was {!r}."
    ),
    re.compile(
        r"Error parsing (--\S+): invalid literal for int\(\) with base 10: '(.*)'"
    ): "{} takes a whole number; it was {!r}.",
    re.compile(r"Error parsing (--\S+): could not convert string to float: '(.*)'"): "{} takes a number; it was {!r}.",
    re.compile(r"Missing value for argument '(--\S+)'"): "{} needs a value.",
}
NUMBERS = {"INT": "a whole number", "FLOAT": "a number"}  # tyro's names for them
INPUT_ERROR, INTERRUPTED = 2, 130
COMPRESSED = (b"\x28\xb5\x2f\xfd", b"\x78")  # how Zstandard's and zlib's data begin
FRAME = re.compile(r"^[╭╰│|+][─-]*\s*|\s*[─-]*[╮╯│|+]\s*$")  # the sides of a box, in Unicode or in ASCII
ENDS = ("For full helptext", "Argument helptext")  # what tyro adds after its error message


def run(
    command: Callable[[Any], int],
    options: type,
    arguments: Sequence[str],
    program: str,
    *,
    smaller: str = "the input",
) -> int:
    """Parses the arguments, runs the command and returns its exit code, with errors as in `answered`."""

    def parsed() -> int:
        asked = parse(options, arguments, program)
        faults.check_machine()
        return command(asked)

    return answered(parsed, arguments, program, smaller)


def answered(command: Callable[[], int], arguments: Sequence[str], program: str, smaller: str) -> int:
    """Runs the command and returns its exit code.

    An InputError or OSError is printed as one line on stderr, or raised with `--debug`; so is what the machine lacks,
    where the line asks to make `smaller` smaller.
    """
    with output.guarded():
        try:
            return command()
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


def parse(
    options: type,
    arguments: Sequence[str],
    program: str,
    listed: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """The options as an instance of the dataclass.

    `--help` prints the help page, with what is `listed` before the options, and raises SystemExit. Raises InputError,
    with what was probably meant, if the arguments cannot be parsed or the value of an option is an unknown name.
    """
    if {"--help", "-h"}.intersection(arguments):
        help.show(options, program, listed)
        raise SystemExit(0)
    arguments, negative = negated(options, arguments)
    flags = without_value(options)
    _check_known(options, [one for place, one in enumerate(arguments) if is_option(arguments, place, flags)], program)
    check_once(options, arguments)
    _check_filled(arguments, flags)
    with redirect_stderr(StringIO()) as stderr:
        try:
            parsed, rest = tyro.cli(options, args=list(arguments), prog=program, return_unknown_args=True, config=STYLE)
        except SystemExit as end:
            raise InputError(_unboxed(stderr.getvalue())) from end
    if rest:
        raise InputError(_too_many(rest[0], arguments, options, flags))
    check_names(parsed)
    check_numbers(parsed)
    return replace(parsed, **negative)


def _check_filled(arguments: Sequence[str], flags: Iterable[str]) -> None:
    """Raises InputError for an option whose value is an empty text, which as a path would be the current folder."""
    for option, value in pairwise([*arguments, "-"]):
        if option.startswith("--") and (option.endswith("=") or (value == "" and _spelled(option) not in flags)):
            raise InputError(f"{option.rstrip('=')} needs a value; it was empty.")


def _check_known(options: type, typed: Iterable[str], program: str) -> None:
    """Raises InputError with a sentence for each of the options that there is not."""
    placed = [
        field.name for field in fields(options) if tyro.conf.Positional in getattr(field.type, "__metadata__", ())
    ]
    known = [field.name.replace("_", "-") for field in fields(options) if field.name not in placed]
    faults: list[str] = []
    for argument in typed:
        if (name := _spelled(argument)) in placed:
            place = name.upper()
            faults += [f"{argument!r} is not an option; {place} is given without one: {program} {place}."]
        elif name not in known and Path(argument).is_file():
            faults.append(f"{argument!r} is not an option; the file of this name is typed ./{argument}.")
        elif name not in known:
            owners = _owners(name, program)
            other_kinds = "visualize" in program and any("visualize.py " in owner for owner in owners)
            plural = [one for one in known if one == f"{name}s"]
            elsewhere = fields_of("cnnviz.commands.train:Options") if "visualize" in program else ()
            elsewhere = [one.replace("_", "-") for one in elsewhere]
            faults += [str(without_option(argument, plural if other_kinds else known, owners, elsewhere))]
    if faults:
        raise InputError(" ".join(dict.fromkeys(faults)))


def _spelled(argument: str) -> str:
    """The name of the option in an argument, as `--help` spells it."""
    return argument.split("=")[0].lstrip("-").replace("_", "-")


def _owners(option: str, program: str) -> list[str]:
    """What else has an option of this name, as it is typed: the other command, and kinds of picture."""
    in_train = option in map(_spelled, fields_of("cnnviz.commands.train:Options"))
    in_common = option in map(_spelled, fields_of("cnnviz.commands.visualize:Common"))
    found = ["train.py"] if in_train and "train" not in program else []
    return [*found, "visualize.py"] if in_common else [*found, *filter(None, [kinds.owners(option)])]


def _too_many(argument: str, arguments: Sequence[str], options: type, flags: Collection[str]) -> str:
    """What is wrong with an argument that nothing takes, and what to type instead."""
    what = f"{argument!r} is one argument too many"
    before = arguments[arguments.index(argument) - 1] if argument in arguments[1:] else ""
    if before.startswith("--") and _spelled(before) in flags:
        is_name = before == "--resume" and argument.lower() not in ("true", "false", "yes", "no", "1", "0")
        named = f", and --name names the run: --resume --name {Path(argument).name}" if is_name else ""
        return f"{what}; {before} takes no value{named}."
    if {"run", "others"}.intersection(field.name for field in fields(options)) == {"run"} and is_network(argument):
        return f"{what}; networks are drawn together by compare: visualize.py compare RUN {argument}."
    if meant := option_for(argument, [field.name for field in fields(options)]):
        return f"{what}; did you mean {meant}?"
    if meant := getattr(options, "EXTRA", ""):
        return f"{what}; {meant}."
    return f"{what}; --help lists all options."


def _unboxed(text: str) -> str:
    """The error message of tyro, printed in a box of several lines, as one line: the box's title and its text."""
    lines = (FRAME.sub("", line).strip() for line in text.splitlines())
    title, *body = takewhile(lambda line: not line.startswith(ENDS), (line for line in lines if line.strip("─-")))
    sentence = " ".join(body)
    for pattern, said in WORDED.items():
        if found := pattern.search(sentence):
            return said.format(*(NUMBERS.get(part, part) for part in found.groups()))
    return f"{title}: {sentence}"


def _sentence(error: Exception) -> str:
    """The message of an error, of an option with its dashes; of the operating system's the file and the reason."""
    if isinstance(error, OptionError):
        return error.typed
    if isinstance(error, InputError) or not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if isinstance(error, PermissionError) and error.filename is not None:
        place = _denied(Path(os.fsdecode(error.filename)))
        return f"{place} cannot be read or written: {error.strerror}; give one that this user may use."
    return f"{error.filename or 'A file'} cannot be read or written: {error.strerror}."


def _denied(path: Path) -> Path:
    """What of a path is not permitted: the outermost folder that may not be entered, or that of a new file."""
    effective = os.access in os.supports_effective_ids
    for folder in reversed(path.parents):
        if not os.access(folder, os.X_OK, effective_ids=effective):
            return folder
    return path if os.path.lexists(path) else path.parent


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
    # it compiles again what it cannot read, and does without what it cannot write, as on a full disk
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def multiply_in_float32() -> None:
    """Makes products of float32 exact to float32: JAX's default on GPUs and TPUs rounds their factors.

    A default that the user has set with JAX_DEFAULT_MATMUL_PRECISION is kept.
    """
    import jax

    if getattr(jax.config, "jax_default_matmul_precision", None) is None:
        jax.config.update("jax_default_matmul_precision", "float32")


def _remove_damaged(folder: Path) -> None:
    """Removes entries of the compilation cache that are not compressed data: JAX never replaces an existing one."""
    for entry in folder.glob("*-cache"):
        with suppress(OSError):
            with entry.open("rb") as file:
                start = file.read(4)
            if not start.startswith(COMPRESSED):
                entry.unlink()
