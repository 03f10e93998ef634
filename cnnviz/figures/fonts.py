"""Fonts for names in any script: other installed fonts where the style's lacks characters, else spelled letters.

A character that no installed font has is spelled by its Unicode name (강 is "gang"), as a box would say nothing.
"""

import re
import unicodedata
import warnings
from functools import cache

import matplotlib
from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

from cnnviz.figures.printable import printable

FONT = "DejaVu Sans"  # comes with matplotlib
SANS = re.compile("sans|gothic|hei|naskh", re.IGNORECASE)  # next to a sans-serif font
PLACEHOLDERS = re.compile("last ?resort|blank|fallback", re.IGNORECASE)  # fonts of boxes
LETTER = re.compile(r".*(?:SYLLABLE|LETTER|IDEOGRAPH|SIGN|LIGATURE)[ -]")
SHAPES = tuple(map(int, matplotlib.__version__.split(".")[:2])) >= (3, 11)  # joins and orders Arabic letters


class SpelledLetters(UserWarning):
    """No font has some characters of a figure; the message names them."""


def families(text: str, font: str) -> tuple[str, ...]:
    """The font families to draw the text with: `font`, and others for the characters that it lacks."""
    lacking = _lacking(text, font)
    return (font, *_found(lacking)[0]) if lacking else (font,)


def drawable(text: str, font: str) -> str:
    """The text with characters that cannot be drawn replaced, or spelled if no font has them.

    Warns of SpelledLetters.
    """
    text = printable(text)
    lacking = _lacking(text, font)
    lost = (_found(lacking)[1] if lacking else frozenset()) | _unshaped(text)
    if not lost:
        return text
    warnings.warn(f"No font has {', '.join(sorted(lost)[:5])}", SpelledLetters, stacklevel=2)
    letters = "".join(map(re.escape, sorted(lost)))
    return re.sub(f"[{letters}]+", lambda found: "-".join(map(_spelled, found[0])), text)


def installed() -> list[str]:
    """The names of all font families."""
    return font_manager.get_font_names()


def _spelled(character: str) -> str:
    """The letter's name in Unicode, an ideograph's number."""
    return LETTER.sub("", unicodedata.name(character, "?")).lower().replace(" ", "-")


def _unshaped(text: str) -> frozenset[str]:
    """The characters that run from right to left: older releases of matplotlib draw them from left to right."""
    if SHAPES or text.isascii():
        return frozenset()
    return frozenset(c for c in text if unicodedata.bidirectional(c) in ("R", "AL"))


def _lacking(text: str, font: str) -> frozenset[str]:
    """The characters of the text that the font family does not have."""
    if text.isascii():
        return frozenset()
    known = _characters(font_manager.findfont(FontProperties(family=[font])))
    return frozenset(c for c in text if ord(c) not in known and not c.isspace())


def _found(lacking: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Installed font families that have these characters, and the characters that none has."""
    return _search(lacking, len(font_manager.fontManager.ttflist))


@cache
def _search(lacking: frozenset[str], installed: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """The result of `_found` for so many installed fonts, to which a program may add; sans-serif ones come first."""
    fonts = sorted(
        {(not SANS.search(e.name), e.name, e.fname) for e in font_manager.fontManager.ttflist if _is_plain(e)}
    )
    left, found = set(lacking), {}
    for _, family, path in fonts:
        here = {c for c in left if ord(c) in _characters(path)} if left else set()
        if here:
            found[family] = here
            left -= here
    return tuple(found), frozenset(left)


def _is_plain(entry: font_manager.FontEntry) -> bool:
    return entry.style == "normal" and entry.weight in (400, "normal") and not PLACEHOLDERS.search(entry.name)


@cache
def _characters(path: str) -> frozenset[int]:
    """The code points that a font file has glyphs for."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):  # not a font that can be read
        return frozenset()
