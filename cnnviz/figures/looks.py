"""How lines and marks are told apart: by color, and by dashes or marker too, for color blindness and print in gray."""

from typing import Any

from cnnviz.figures.style import BLUE, GREEN, VERMILLION

# Okabe and Ito's palette without its yellow, which is too light for lines
COLORS = (BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
MARKS = "os^DvPX*<>hp"  # how many there are of each has no divisor in common with the colors, so that pairs differ


def look_of(i: int, *which: str) -> dict[str, Any]:
    """The look of the i-th line: its color, linestyle and marker, or those of them that are named."""
    look = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)], "marker": MARKS[i % len(MARKS)]}
    return {name: look[name] for name in which} if which else look
