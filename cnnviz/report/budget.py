"""How large a page may be, and what is left out so that it is not larger."""

from collections.abc import Callable
from typing import NamedTuple

from cnnviz.errors import InputError

LIMIT = 10_000_000  # bytes
MOST_STEPS = 12  # checkpoints whose weights are in the page


class Choice(NamedTuple):
    """How the parts of a page are stored; None leaves a part out."""

    dpi: int | None = 100
    numbers: bool = True
    weights: str = "float16"
    steps: str | None = "float16"
    most_steps: int = MOST_STEPS


# from the fullest page to the leanest
CHOICES = (
    Choice(),
    Choice(steps="int8"),
    Choice(steps="int8", most_steps=5),
    Choice(steps="int8", most_steps=3),
    Choice(steps="int8", most_steps=3, numbers=False),
    Choice(steps=None, numbers=False),
    Choice(70, False, "float16", None),
    Choice(70, False, "int8", None),
    Choice(None, False, "int8", None),
)


def fitted(make: Callable[[Choice, list[str]], str], limit: int = LIMIT) -> tuple[str, Choice]:
    """The fullest page within `limit` bytes; raises InputError if even the leanest is larger."""
    size = 0
    for choice in CHOICES:
        page = make(choice, notes(choice, limit))
        if (size := len(page.encode())) <= limit:
            return page, choice
    raise InputError(f"The page has {size:,} bytes without pictures; a report has at most {limit:,}.")


def notes(choice: Choice, limit: int = LIMIT) -> list[str]:
    """What the page says was left out, or made coarser, to keep within the limit."""
    full, found = CHOICES[0], []
    if choice.dpi is None:
        found.append("the pictures")
    elif full.dpi is not None and choice.dpi < full.dpi:
        found.append(f"detail in the pictures (now {choice.dpi} pixels per inch)")
    found += ["the files of numbers"] * (not choice.numbers)
    found += ["the weights of earlier steps"] * (choice.steps is None)
    if choice.steps is not None and choice.most_steps < full.most_steps:
        found.append(f"the weights of more than {choice.most_steps} steps")
    said = [f"To keep this page below {limit / 1e6:g} MB, it was made without {_listed(found)}."] if found else []
    if choice.weights == "int8":
        said.append("Weights are rounded to 8 bits.")
    elif choice.steps == "int8":
        said.append("Weights of earlier steps are rounded to 8 bits.")
    return said


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
