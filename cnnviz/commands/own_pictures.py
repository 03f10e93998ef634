"""Pictures of one's own on the command line: `predict RUN a.png b.jpg`, `activations RUN --image photos/*.jpg`."""

from collections.abc import Sequence
from dataclasses import fields

from cnnviz.commands.flags import without_value
from cnnviz.commands.places import is_no_network, runs_in
from cnnviz.interop.picture_files import is_named_picture
from cnnviz.pictures.options import check_spelled_once

NAMES = ("--image", "--images")


def gathered(arguments: Sequence[str], options: type, every: bool) -> list[str]:
    """The arguments with all that are pictures as one value of `--image`, one a line.

    A shell makes many arguments of `--image photos/*.jpg`, and several `--image` add up. With `every`, all arguments
    after the run are pictures, whatever they are called, and in its place those whose names are no network's. The
    arguments of options without images stay as they are. Raises InputError if `--image` and `--images`, which are one
    option, are given with different values.
    """
    if not any(field.name == "image" for field in fields(options)):
        return list(arguments)
    flags, others, pictures, runs, option = _flags(options), [], [], 0, ""
    is_picture = lambda text: is_named_picture(text) or every and (runs or is_no_network(text, runs_in(arguments)))
    spelled: dict[str, list[str]] = {name: [] for name in NAMES}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if argument.startswith("--"):
            option = "" if "=" in argument or name in flags else name
            if name in NAMES and "=" in argument:
                pictures, spelled[name] = [*pictures, value], [*spelled[name], value]
            others += [] if name in NAMES else [argument]
        elif _is_dashed(argument) and not option:
            pictures += [f"./{argument}"] if is_named_picture(argument) and every else []  # as shells have it
            others += [] if is_named_picture(argument) and every else [argument]
        elif option in NAMES or not option and is_picture(argument):
            spelled.get(option, []).append(argument)
            pictures, option = [*pictures, argument], ""
        else:
            runs += not option
            others, option = [*others, argument], ""
    check_spelled_once(*(",".join(spelled[name]) or None for name in NAMES))
    lacking = [option] if option in NAMES else []
    return [*others, *(["--image", "\n".join(dict.fromkeys(pictures))] if pictures else []), *lacking]


def _is_dashed(argument: str) -> bool:
    """Whether an argument begins as an option of one dash, and is no number."""
    return argument[:1] == "-" and argument[1:2].isalpha()


def _flags(options: type) -> list[str]:
    """The options that take no value."""
    return ["--help", *(f"--{name.replace('_', '-')}" for name in without_value(options))]
