"""`cnnviz train ...` and `cnnviz visualize ...`: the same as `python train.py ...` and `python visualize.py ...`."""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pkgutil import resolve_name

from cnnviz.commands import faults, output
from cnnviz.commands.option_names import is_value
from cnnviz.errors import OutOfMemory
from cnnviz.pictures import PICTURES
from cnnviz.registry import resolve

COMMANDS = {
    "train": "cnnviz.commands.train:main",
    "visualize": "cnnviz.commands.visualize:main",
    "report": "cnnviz.commands.report:main",
}
REPORT = "report"
VERSION = resolve_name("cnnviz:__version__")
HELP = f"""cnnviz {VERSION}: train a convolutional network and see what it has learned.

usage: cnnviz train [--help] ...      train a network and keep it as a run
       cnnviz visualize [--help] ...  draw what a network has learned, from a run or from a file
       cnnviz report [--help] ...     write one HTML file with all of it, in which the network runs
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command by its name and returns its exit code: 0, or 2 if the name is unknown."""
    first, *others = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if first in COMMANDS:
        return run(first, others, f"cnnviz {first}")
    with output.guarded():
        return _answer(first)


def run(name: str, arguments: Sequence[str], program: str) -> int:
    """Imports a command, runs it under the name of this program, and returns its exit code."""
    with output.guarded():
        try:
            faults.check_imports()
        except OutOfMemory as error:
            print(f"{program}: {error}", file=sys.stderr)
            return 2
    if name == "visualize" and (place := _named(REPORT, arguments)) is not None:
        name, program = REPORT, f"{program} {REPORT}"
        arguments = [*arguments[:place], *arguments[place + 1 :]]
    return resolve(COMMANDS, name, "command")(arguments, program)


def _named(kind: str, arguments: Sequence[str]) -> int | None:
    """The place of a kind among the arguments; None if it is not the first kind there, but a value or a run's name."""
    if kind not in arguments:
        return None
    flags = resolve_name("cnnviz.commands.visualize:FLAGS")
    named = [place for place, text in enumerate(arguments) if text == kind or text in PICTURES]
    first = next((place for place in named if not is_value(arguments, place, flags)), None)
    return first if first is not None and arguments[first] == kind else None


def _answer(first: str) -> int:
    if first in ("--help", "-h", "--version"):
        print(VERSION if first == "--version" else HELP, end="\n" if first == "--version" else "")
        return 0
    nearest = get_close_matches(first, COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"the commands are {', '.join(COMMANDS)}."
    print(f"cnnviz: {first!r} is not a command; {hint}", file=sys.stderr)
    return 2
