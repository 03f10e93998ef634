"""Parsing of the options that choose images and a target."""

import re
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any

from cnnviz.data.home import expanded
from cnnviz.errors import InputError, OptionError, no_step, unknown
from cnnviz.errors.ranges import check_range
from cnnviz.errors.wording import counted
from cnnviz.interop.picture_files import SUFFIXES

MOST_IMAGES = 64
NUMBER, RANGE = re.compile(r"-?\d+"), re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?")
PATTERN = re.compile(r"[*?\[]")
Choice = slice | int | Path
ONE_MAP = "channels is an option of methods in attribute, which draws a map per channel; here a method has one map."


def choices(text: str) -> list[Choice]:
    """What "3", "0:8", "3,5,9", a file, a folder or a pattern means: numbers, ranges and files, in order.

    Parts are separated by commas, or by line breaks where names have commas. Raises InputError for a file that does
    not exist, for a folder or a pattern without pictures, and for any other text.
    """
    parts = [text] if text and _path(text).exists() else text.split("\n" if "\n" in text else ",")
    return [choice for part in parts for choice in _part(part.strip(), text)]


def numbered(part: str) -> int | slice | None:
    """The number or the range that a text like "3" or "0:8" is; None for any other."""
    if NUMBER.fullmatch(part):
        return int(part)
    found = RANGE.fullmatch(part)
    return found and slice(*(None if number is None else int(number) for number in found.groups()))


def _part(part: str, text: str) -> Sequence[Choice]:
    if (meant := numbered(part)) is not None:
        return [meant]
    path = _path(part)
    if part and path.is_dir():
        inner = next((entry for entry in sorted(path.iterdir()) if entry.is_dir() and entry.name[0] != "."), None)
        hint = f"; '{part.rstrip('/')}/**' has those of its folders too" if inner is not None else ""
        return _pictures(path.iterdir(), f"The folder {part}", hint)
    if PATTERN.search(part) and not path.exists():
        return _pictures(map(Path, glob(str(path), recursive=True)), f"The pattern {part!r}")
    if not part or not (path.exists() or path.suffix[1:2].isalpha() or "/" in part):
        raise InputError(
            "Images are given as 3, 0:8 or 3,5,9, or as a picture, a folder or a pattern; it was "
            f"{part if chr(10) in text else text!r}."
        )
    if not path.is_file():
        raise InputError(f"{part} {_no_file(path)}; give a picture, a folder of pictures or a pattern.")
    return [path]


def _no_file(path: Path) -> str:
    """What is at a path where no file is."""
    if path.is_symlink() and not path.exists():
        return "is a link that leads to no file"
    return "is no file" if path.exists() else "does not exist"


def _path(text: str) -> Path:
    return Path(text) if "\0" in text else expanded(text) or Path(text)


def _pictures(entries: Any, what: str, hint: str = "") -> list[Path]:
    """The pictures among the entries, by name."""
    found = sorted(entry for entry in entries if is_picture(entry.name) and entry.name[0] != "." and entry.is_file())
    if not found:
        raise InputError(f"{what} has no pictures ({', '.join(sorted(SUFFIXES))}){hint}.")
    return found


def is_picture(name: str) -> bool:
    """Whether a file has the name of a picture."""
    return Path(name).suffix.lower() in SUFFIXES


def indices(choice: slice, count: int) -> Sequence[int]:
    """The indices that a range selects from `count` images; raises InputError if it selects none."""
    found = range(count)[choice] if choice.step != 0 else ()
    if not found:
        parts = (choice.start, choice.stop, choice.step)[: 2 if choice.step is None else 3]
        shown = ":".join("" if part is None else str(part) for part in parts)
        raise InputError(f"The range {shown} means none of the {counted(count, 'image')}, 0 to {count - 1}.")
    return found


def places(choice: slice | int, count: int, missing: str, *, least: int) -> Sequence[int]:
    """The indices that a number, from `least` on, or a range means among `count`.

    Raises InputError, which begins with `missing` for a number, if there is none.
    """
    if isinstance(choice, slice):
        return indices(choice, count)
    if not least <= choice < count:
        raise InputError(f"{missing}; they go from 0 to {count - 1}.")
    return [choice % count]


def numbers_in(text: str, option: str) -> list[slice | int]:
    """The numbers and ranges that "0:500" or "3,5,9" means; raises OptionError, by the option's name, for any other."""
    found = [numbered(part.strip()) for part in text.split(",")]
    if None in found:
        raise OptionError(f"{option} must be numbers such as 3, 0:8 or 3,5,9; it was {text!r}.")
    return [choice for choice in found if choice is not None]


def numbers_of(text: str, count: int) -> list[int]:
    """The numbers of images, each once, that "0:500" or "3,5,9" means among `count`.

    Raises InputError for any other text, and for numbers of which there is none.
    """
    found: list[int] = []
    for choice in numbers_in(text, "images"):
        found += places(choice, count, f"{choice} is not the number of an image", least=-count)
    return list(dict.fromkeys(found))


def steps_in(text: str, kept: Sequence[int]) -> list[int]:
    """The steps that "0,400" means, ascending; raises InputError for another text, and for a step that is not kept."""
    parts = [part.strip().removeprefix("step_") for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise OptionError(f"steps must be numbers with commas between them, such as 0,400; it was {text!r}.")
    wanted = sorted(set(map(int, parts)))
    if missing := [step for step in wanted if step not in kept]:
        raise no_step("The run", " and ".join(map(str, missing)), kept)
    return wanted


def levels_of(epsilons: str, epsilon: float) -> list[float]:
    """The numbers in `epsilons`, ascending; raises OptionError if one of them or `epsilon` is no share of a range."""
    try:
        levels = [float(text) for text in epsilons.split(",")]
    except ValueError as error:
        raise OptionError(f"epsilons must be numbers with commas between them; it was {epsilons!r}.") from error
    for name, given in (("epsilons", levels), ("epsilon", [epsilon])):
        for level in given:
            check_range(name, level)
    return sorted(set(levels))


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
