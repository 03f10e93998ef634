"""Texts without characters that cannot be drawn, or that XML, and with it an SVG file, does not allow."""

import re

# Control characters, what changes the direction of text, halves of surrogate pairs, and noncharacters.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
NUMBER = re.compile(r"(?<![\w.)\]-])-?\.?\d[\d,]*(\.\d+)?(e[-+]?\d+)?(?!\w|\.\w|-)")  # not within a name or a range


def printable(text: str) -> str:
    """The text with U+FFFD in place of each character that cannot be drawn."""
    return UNPRINTABLE.sub("\ufffd", text)


def signed(text: str) -> str:
    """The text with the minus sign, as axes have it, for the hyphens of its numbers: −0.3, 1e−05."""
    return NUMBER.sub(lambda found: found[0].replace("-", "−"), text)
