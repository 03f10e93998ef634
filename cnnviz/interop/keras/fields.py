"""One layer as a Keras file describes it, with checked fields."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnviz.errors import InputError

LARGEST = 2**31 - 1
REQUIRED = object()
NUMBERS_IN_WORDS = {1: "one whole number", 2: "a pair of whole numbers", 3: "three whole numbers"}


@dataclass(frozen=True)
class Described:
    """One layer as the file describes it; reading a field raises InputError if its value is not valid.

    `first` says whether the model's file has the channels before the other axes of an image.
    """

    kind: str
    name: str
    config: Mapping[str, Any]
    keras: int  # the major version that wrote it
    first: bool = False

    @property
    def trainable(self) -> bool:
        """Whether its weights stand among the trainable ones."""
        return self.config.get("trainable", True) is not False

    def whole(self, key: str, default: Any = REQUIRED) -> int:
        """A positive integer field."""
        value = self.value(key, default)
        if not is_whole(value):
            raise self.wrong(key, value, "a whole number from 1")
        return value

    def wholes(self, key: str, count: int, default: Any = REQUIRED, least: int = 1) -> tuple[int, ...]:
        """A field of `count` integers from `least`, also written as one integer for all."""
        value = self.value(key, default)
        values = (value,) * count if isinstance(value, int) else value
        fitting = isinstance(values, Sequence) and len(values) == count
        if not fitting or not all(is_whole(one, least) for one in values):
            raise self.wrong(key, value, f"{NUMBERS_IN_WORDS[count]} from {least}")
        return tuple(values)

    def number(self, key: str, default: Any) -> float:
        """A finite number field."""
        value = self.value(key, default)
        if not is_number(value):
            raise self.wrong(key, value, "a number")
        return float(value)

    def numbers(self, key: str, default: Any = REQUIRED) -> tuple[float, ...]:
        """A field of finite numbers in a list, which may be nested, or one number."""
        value = self.value(key, default)
        if isinstance(value, Mapping) and isinstance(inner := value.get("config"), Mapping):  # an array, in Keras 3
            value = inner.get("value", value)
        flat = list(flattened(value))
        if not flat or not all(map(is_number, flat)):
            raise self.wrong(key, value, "a number or a list of numbers")
        return tuple(map(float, flat))

    def flag(self, key: str, default: bool) -> bool:
        """A boolean field."""
        value = self.value(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """A field with one of these values."""
        value = self.value(key, default)
        if value not in choices:
            raise self.wrong(key, value, " or ".join(choices))
        return value

    def axis(self, key: str = "axis") -> int:
        """A field with one axis, also written as a list of one integer."""
        value = self.value(key, -1)
        axes = self.axes(key) if not isinstance(value, list) or len(value) == 1 else ()
        if len(axes) != 1:
            raise self.wrong(key, value, "one axis")
        return axes[0]

    def axes(self, key: str = "axis", default: Any = -1) -> tuple[int, ...]:
        """A field with one axis or a list of axes."""
        value = self.value(key, default)
        axes = value if isinstance(value, list) else [value]
        if not all(isinstance(axis, int) and not isinstance(axis, bool) and abs(axis) < 8 for axis in axes):
            raise self.wrong(key, value, "one axis" if not isinstance(value, list) else "a list of axes")
        return tuple(axes)

    def wrong(self, key: str, value: Any, right: str) -> InputError:
        """The error for a field whose value is not valid; `right` describes valid values."""
        return InputError(f"layer {self.name!r} ({self.kind}) has {key} = {shortly(value)}; it must be {right}.")

    def value(self, key: str, default: Any = REQUIRED) -> Any:
        """The field as the file has it, or the default if it is missing or null."""
        value = self.config.get(key)
        if value is None and default is REQUIRED:
            raise self.wrong(key, None, "given")
        return default if value is None else value


def shortly(value: Any) -> str:
    """The value as text for a message, truncated to 60 characters."""
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def is_whole(value: Any, least: int = 1) -> bool:
    """Whether it is an integer from `least` to LARGEST."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def is_number(value: Any) -> bool:
    """Whether it is a finite number that float32 can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30  # neither NaN nor Inf


def flattened(value: Any) -> list[Any]:
    """The values in nested lists, one after the other."""
    return [inner for one in value for inner in flattened(one)] if isinstance(value, list) else [value]
