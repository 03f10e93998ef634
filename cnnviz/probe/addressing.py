"""How layers are asked for: by name, by pattern, by kind, or by number; everything that takes layers asks here.

- a name: `"block1/conv"`. `"shared"` is every call of a module that is called as `shared@0` and `shared@1`, and
  `"block1/relu"` is `block1/relu_0` and `block1/relu_1` where there are several.
- a pattern: `"block*/relu"`; `*` and `?` stand for characters but "/", `**` for any, `[12]` for one of these.
- a kind: `"kind:relu"`, `"kind:Conv"`: what a layer is or what made its value, in small or capital letters.
- a number: `0` or `"0"` is the first layer, `-1` or `"-1"` the last.
- several: `"conv1,relu1"`, `"0,-1"`, `"conv*,kind:Dense"`, or a list of these, such as `[0, "conv*"]`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any, NamedTuple

from cnnviz.errors import InputError, InputTypeError
from cnnviz.errors.wording import listed
from cnnviz.types import LayerNames

KIND = "kind:"
MOST_LISTED = 40
CHOICE = re.compile(r"\[\w+\]")


class Address(NamedTuple):
    """What a layer is found by: its name, what it is, the operation that made its value, and its other names.

    Anything that has these four is found as well, such as a row of the layer table.
    """

    name: str
    kind: str
    function: str = ""
    aliases: tuple[str, ...] = ()


def find(asked: LayerNames, layers: Sequence[Any], also: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of the layers asked for, in order of execution and each once; `also` are further names.

    Raises InputError if no layer is meant, InputTypeError for anything but names and numbers.
    """
    several = isinstance(asked, Iterable) and not isinstance(asked, str | bytes)
    each = list(asked) if several else [asked]
    if not all(isinstance(one, str | Integral) and not isinstance(one, bool) for one in each):
        raise InputTypeError(f"Layers are given by name or number, one or several; these were {asked!r}.")
    found = {name for one in each for name in _find(one, layers, also)}
    return tuple(name for name in dict.fromkeys([*(layer.name for layer in layers), *also]) if name in found)


def find_one(asked: LayerNames, layers: Sequence[Any]) -> str:
    """The name of the one layer asked for. Raises InputError if there are several, and names them."""
    found = find(asked, layers)
    if len(found) != 1:
        more = ", ..." if len(found) > 5 else ""
        listed = f": {', '.join(found[:5])}{more}" if found else ""
        raise InputError(f"One layer is needed here; {asked!r} means {len(found)}{listed}.")
    return found[0]


def _find(one: Any, layers: Sequence[Any], also: Sequence[str]) -> list[str]:
    names = [layer.name for layer in layers]
    if isinstance(one, Integral):
        return [_numbered(int(one), names)]
    if one in names or one in also:
        return [one]
    if re.fullmatch(r"-?\d+", one):
        return [_numbered(int(one), names)]
    if "," in one:
        return [name for part in one.split(",") for name in _find(part.strip(), layers, also)]
    if one.startswith(KIND):
        return _of_kind(one.removeprefix(KIND).strip(), layers)
    fits = re.compile(_regex(one)).fullmatch
    for known in (_names, _stems, _others):
        if found := [layer.name for layer in layers if any(map(fits, known(layer)))]:
            return found
    raise _unknown(one, names)


def _numbered(number: int, names: Sequence[str]) -> str:
    if not -len(names) <= number < len(names):
        last = len(names) - 1
        raise InputError(
            f"Layers are numbered from 0 to {last}, or from the end by -1 to {-last - 1}; it was {number}."
        )
    return names[number]


def _of_kind(kind: str, layers: Sequence[Any]) -> list[str]:
    fits = re.compile(_regex(kind), re.IGNORECASE).fullmatch
    if found := [layer.name for layer in layers if fits(layer.kind) or fits(layer.function)]:
        return found
    kinds: dict[str, str] = {}
    for known in (known for layer in layers for known in (layer.kind, layer.function) if known):
        kinds.setdefault(known.casefold(), known)
    raise InputError(f"{kind!r} is not a kind of layer here; the kinds are {', '.join(kinds.values())}.")


def _names(layer: Any) -> Iterator[str]:
    yield layer.name
    yield layer.name.rpartition("@")[0] or layer.name


def _stems(layer: Any) -> Iterator[str]:
    """An operation's name without the number that it has where there are several."""
    if layer.kind == layer.function:
        yield from map(_without_number, _names(layer))


def _others(layer: Any) -> Iterator[str]:
    for alias in layer.aliases:
        once = alias.rpartition("@")[0] or alias
        yield from (alias, once, _without_number(once))


def _without_number(name: str) -> str:
    return re.sub(r"_\d+(@\d+)?$", "", name)


def _regex(pattern: str) -> str:
    """A pattern as a regular expression."""
    parts = re.split(rf"(\*\*|\*|\?|{CHOICE.pattern})", pattern)
    known = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(part) or (part if CHOICE.fullmatch(part) else re.escape(part)) for part in parts)


def _unknown(asked: str, names: Sequence[str]) -> InputError:
    """The error for a name or pattern that fits no layer, with the nearest names."""
    nearest = [repr(name) for name in get_close_matches(asked, names, n=3, cutoff=0.5)]
    hint = f"; did you mean {' or '.join(filter(None, [', '.join(nearest[:-1]), nearest[-1]]))}?" if nearest else "."
    return InputError(f"{asked!r} is not a layer{hint} Known: {listed(names, MOST_LISTED) or 'none'}.")
