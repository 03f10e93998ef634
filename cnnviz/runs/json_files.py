"""JSON files: written atomically and read strictly, by checks of their content; an error is one line.

A check is a function of a value and its place in the file that raises ValueError if the value does not fit.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.errors.meant import meant
from cnnviz.interop.objects import each_once

Check = Callable[[Any, str], None]


class UnknownFormat(InputError):
    """An undamaged file that only another version of cnnviz can read."""


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Writes the content to the file atomically."""
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content together with its own SHA-256, which `read` checks."""
    return {**content, "digest": _digest(content)}


def read(file: Path, formats: Mapping[int, Check]) -> dict[str, Any]:
    """The content of a file in one of these formats; format 1 may leave out its number.

    Raises InputError if the file is not JSON, has a key twice, does not match its digest, has an unknown format, or
    fails the check of its format.
    """
    try:
        content = json.loads(file.read_bytes(), object_pairs_hook=each_once)
        an_object(content, "")
        if "digest" in content and content["digest"] != _digest(content):
            raise InputError(f"{file} was changed after it was written: its digest is not the one recorded in it.")
        version = content.get("format", 1)
        if not (type(version) is int and version in formats):
            known = " and ".join(map(str, formats))
            said = apart(content, formats[max(formats)])
            fields = f", and read as format {max(formats)} it {said}" if said else ""
            what = f"{file} has the format {shortened(version)}; this version of cnnviz reads {known}"
            raise UnknownFormat(f"{what}{fields}.")
        if any(True for _ in unknown_names(content, formats[version])):
            said = apart(content, formats[version])
            raise UnknownFormat(f"{file} {said}; another version wrote it, or a name is wrong.")
        formats[version](content, "")
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise damaged(file, error) from error
    return content


def damaged(file: Path, error: Exception) -> InputError:
    """The error for a file whose content cannot be used."""
    return InputError(f"{file} is damaged ({error}).")


def _digest(content: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def anything(value: Any, at: str) -> None:
    """Accepts every value."""


def must_be(what: str, fits: Callable[[Any], bool]) -> Check:
    """Accepts the values for which `fits` is true; `what` describes them in the error."""

    def check(value: Any, at: str) -> None:
        if not fits(value):
            raise ValueError(f"{at or 'the content'} is {shortened(value)}; it must be {what}")

    return check


def whole_number(least: int) -> Check:
    """Accepts integers of at least `least`."""
    return must_be(f"a whole number of at least {least}", lambda value: type(value) is int and value >= least)


text = must_be("text", lambda value: isinstance(value, str))
flag = must_be("true or false", lambda value: isinstance(value, bool))
an_object = must_be("an object", lambda value: isinstance(value, dict))
integer = must_be("a whole number", lambda value: type(value) is int)
finite = must_be("a finite number", lambda value: type(value) in (int, float) and abs(value) <= sys.float_info.max)
number = must_be("a number", lambda value: type(value) is float or type(value) is int and abs(value) < 2**63)
sha256 = must_be("a SHA-256", lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None)


def maybe(check: Check) -> Check:
    """Accepts null and what the check accepts."""
    return lambda value, at: None if value is None else check(value, at)


def list_of(check: Check, least: int = 0, most: int | None = None) -> Check:
    """Accepts a list of `least` to `most` values that the check accepts."""
    length = f" of {least}" if least == most else f" of at least {least}" if least else ""
    fits = lambda count: count >= least and (most is None or count <= most)
    is_list = must_be(f"a list{length}", lambda value: isinstance(value, list) and fits(len(value)))

    def check_all(value: Any, at: str) -> None:
        is_list(value, at)
        for place, one in enumerate(value):
            check(one, f"{at}[{place}]")

    return check_all


def mapping_of(check: Check, name: Check = anything) -> Check:
    """Accepts an object whose keys `name` accepts and whose values `check` accepts."""

    def check_all(value: Any, at: str) -> None:
        an_object(value, at)
        for key, one in value.items():
            name(key, f"a name in {at or 'the content'}")
            check(one, _inside(at, key))

    return check_all


def record(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, others: Check | None = None
) -> Check:
    """Accepts an object that has every required key, if the check of each key accepts its value.

    Other keys than the required and the optional ones are refused, unless `others` is a check of their values.
    """
    checks = {**required, **(optional or {})}
    is_known = must_be(f"one of {', '.join(checks)}", lambda name: name in checks)
    is_object, other = mapping_of(anything, anything if others else is_known), others or anything

    def check_all(value: Any, at: str) -> None:
        is_object(value, at)
        if missing := [name for name in required if name not in value]:
            first, *others = [_inside(at, name) for name in missing]
            more = f", and so {'is' if len(others) == 1 else 'are'} {' and '.join(others)}" if others else ""
            raise ValueError(f"{first} is missing{more}")
        for name, one in value.items():
            checks.get(name, other)(one, _inside(at, name))

    if not others:
        vars(check_all).update(checks=checks, required=list(required))
    return check_all


def apart(content: Any, check: Check) -> str:
    """In words, which keys of a record are not known and what is probably meant, and which it lacks; else empty."""
    others, lacking = dict(unknown_names(content, check)), list(missing_names(content, check))
    words = []
    if others:
        words.append(f"has {' and '.join(others)}, which this version of cnnviz does not know")
    if hints := [f"{other} is perhaps {name}" for other, name in others.items() if name]:
        words[-1] += f" ({', '.join(hints)})"
    if lacking:
        words.append(f"lacks {' and '.join(lacking)}")
    return " and ".join(words)


def unknown_names(content: Any, check: Check, at: str = "") -> Iterator[tuple[str, str]]:
    """The paths of the keys that a record's check does not know, and the name that was probably meant, or "".

    Those in the records inside of it are among them.
    """
    checks: Mapping[str, Check] = getattr(check, "checks", {})
    for name, value in content.items() if checks and isinstance(content, dict) else ():
        if name in checks:
            yield from unknown_names(value, checks[name], _inside(at, name))
        else:
            near = meant(name, [each for each in checks if each not in content])
            yield _inside(at, name), _inside(at, near[0]) if near else ""


def missing_names(content: Any, check: Check, at: str = "") -> Iterator[str]:
    """The paths of the keys that a record's check requires and that are not there, also in the records inside of it."""
    for name in getattr(check, "required", ()) if isinstance(content, dict) else ():
        if name not in content:
            yield _inside(at, name)
    for name, inner in getattr(check, "checks", {}).items() if isinstance(content, dict) else ():
        if name in content:
            yield from missing_names(content[name], inner, _inside(at, name))


def _inside(at: str, name: str) -> str:
    """The path of a value, its keys joined by dots; a key from the file is shortened and escaped."""
    shown = name if name.isidentifier() and len(name) < 40 else shortened(name)
    return f"{at}.{shown}" if at else shown
