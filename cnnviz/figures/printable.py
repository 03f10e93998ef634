"""Texts without characters that cannot be drawn, or that XML, and with it an SVG file, does not allow."""

import re

# Control characters, what changes the direction of text, halves of surrogate pairs, and noncharacters.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text with U+FFFD in place of each character that cannot be drawn."""
    return UNPRINTABLE.sub("\ufffd", text)
