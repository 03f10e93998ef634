"""How wide texts are, and their lines: measured with the font's own metrics, as names may be in any script."""

import textwrap
import warnings

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from cnnviz.figures.fonts import drawable, families
from cnnviz.figures.printable import printable

Size = float | int  # in points
ORPHAN, SHORT = 2, 5  # characters that are not alone on a last line, nor is a fifth of the line above
NARROW = 0.25  # of the size: the width of the narrowest letters


def width_of(text: str, size: Size, font: str, weight: str = "normal") -> float:
    """The width in inches of one line of text at a size in points."""
    text = printable(text)
    properties = FontProperties(family=list(families(text, font)), size=size, weight=weight)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # of letters that `drawable` will spell
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
            return _without_orphan(lines, width, size, font, weight)
        characters = min(characters - 1, int(characters * (width / widest) ** 0.5))
    return []


def _without_orphan(lines: list[str], width: float, size: Size, font: str, weight: str) -> list[str]:
    """The lines with more words on a last one that is a letter, a number, or short beside the line above it."""
    while len(lines) > 1 and not lines[-1].endswith("…") and " " in lines[-2]:
        before, word = lines[-2].rsplit(" ", 1)
        last = f"{word} {lines[-1]}"
        is_short = len(lines[-1]) <= max(ORPHAN, len(lines[-2]) // SHORT)
        if not is_short or len(before) < len(lines[-1]) or width_of(last, size, font, weight) > width:
            break
        lines = [*lines[:-2], before, last]
    return lines
