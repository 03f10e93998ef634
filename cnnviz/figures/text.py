"""How wide texts are, and their lines: measured with the font's own metrics, as names may be in any script."""

import textwrap

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from cnnviz.figures.fonts import drawable, families
from cnnviz.figures.printable import printable

Size = float | int  # in points
ORPHAN = 2  # characters that are not alone on a last line
NARROW = 0.25  # of the size: the width of the narrowest letters


def width_of(text: str, size: Size, font: str, weight: str = "normal") -> float:
    """The width in inches of one line of text at a size in points."""
    text = printable(text)
    properties = FontProperties(family=list(families(text, font)), size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, properties, False)[0] / 72


def wrapped(text: str, width: float, size: Size, most: int, font: str, weight: str = "normal") -> list[str]:
    """The text in at most `most` lines of at most `width` inches; what is left over is an ellipsis."""
    longest = int(72 * width / (NARROW * size))
    text = drawable(text[: (most + 1) * longest], font)
    characters = longest // 2  # the average letter is twice as wide
    while characters > 1:
        lines = textwrap.wrap(text, characters, max_lines=most, placeholder="…")
        widest = max((width_of(line, size, font, weight) for line in lines), default=0.0)
        if widest <= width:
            return _without_orphan(lines)
        characters = min(characters - 1, int(characters * (width / widest) ** 0.5))
    return []


def _without_orphan(lines: list[str]) -> list[str]:
    """The lines with a word more on the last one if it has only a letter or a number, as in "page 1 of 6"."""
    if len(lines) < 2 or len(lines[-1]) > ORPHAN or lines[-1].endswith("…") or " " not in lines[-2]:
        return lines
    before, word = lines[-2].rsplit(" ", 1)
    if len(before) < len(lines[-1]):
        return lines  # the new line would be wider
    return [*lines[:-2], before, f"{word} {lines[-1]}"]
