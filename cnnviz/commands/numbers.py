"""Options that are numbers: one out of range is refused before JAX is imported and anything is loaded."""

from dataclasses import fields
from typing import Any

from cnnviz.commands.declared import kind_of
from cnnviz.errors import OptionError
from cnnviz.errors.ranges import RANGES, check_range

# whole numbers that are no count from 1 on: their ranges are checked where they are used
NO_COUNTS = ("dpi", "member", "seed", "shift")
# counts that need more than 1, or no more than 0
LEAST = {"explained": 2, "fit": 2, "line_images": 2, "neighbors": 2, "places": 2, "unit": 0}
COUNTS_TO = ("bins", "resamples")  # counts with a range of their own


def check_numbers(options: Any) -> None:
    """Raises OptionError if a count that was typed is too small, or another number is out of its range."""
    for field in fields(options):
        value, least = getattr(options, field.name), LEAST.get(field.name, 1)
        if kind_of(field.type) is int and field.name not in NO_COUNTS and value is not None and value < least:
            raise OptionError(f"{field.name} must be at least {least}; it was {value}.")
        has_range = field.name in RANGES and (kind_of(field.type) is float or field.name in COUNTS_TO)
        if has_range and value is not None and not hasattr(options, "recipe"):  # a recipe checks its own
            check_range(field.name, value)
