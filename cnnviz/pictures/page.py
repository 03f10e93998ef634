"""The page of pictures: for a screen, a paper or a slide."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from cnnviz.errors import OptionError, unknown

WIDTHS = {"column": 3.3, "text": 6.9, "slide": 10.0}  # inches: a paper of two columns, and PowerPoint's 4:3 and 16:9
PRINTED, PROJECTED = 0.86, 1.7  # scales of text: 5 to 8 points in print, on a slide up to 19
SLIDE = 5.625  # inches: the height of a slide of 16:9 that is as wide
LEAST, MOST = 1.0, 60.0  # inches
DPI = 20, 2400
STYLES = ("screen", "paper")


@dataclass(frozen=True)
class Page:
    """Options of all pictures: how wide they are, and whether title and caption are in them."""

    width: str | None = None
    """Width: column (3.3 inches), text (6.9; both with 5 to 8 points), slide (10 x 5.6) or inches; else as needed."""
    style: str = "screen"
    """screen, or paper: no title and no caption in the picture, which has a .tex file with its caption next to it."""
    font: str | None = None
    """The pictures' font family, such as "Times New Roman"; by default DejaVu Sans."""
    dpi: int | None = None
    """Pixels per inch: of a png by default 200, of the maps in a pdf or svg 600."""

    @property
    def drawn(self) -> Any:
        """The `figures.style.Style` of the figures; raises InputError for an option that is not valid."""
        from cnnviz.figures.fonts import FONT, installed  # here: a command's help does not wait for matplotlib
        from cnnviz.figures.style import Style

        width = self.checked()
        if self.font is not None and self.font not in installed():
            raise unknown("font", self.font, sorted(installed()))
        is_small = width is not None and width <= WIDTHS["text"] + 1
        scale = PROJECTED * width / WIDTHS["slide"] if width and not is_small else PRINTED if is_small else 1.0
        height = SLIDE if self.width == "slide" else None
        return Style(width, scale, self.style != "paper", self.font or FONT, height)

    @property
    def suffix(self) -> str:
        """What file names end in, so that pictures for different pages are different files."""
        width = self.width if self.width in WIDTHS or self.width is None else f"{float(self.width):g}in"
        style = self.style if self.style != "screen" else None
        dpi = f"{self.dpi}dpi" if self.dpi is not None else None
        return "".join(f"_{part}" for part in (width, style, self.font, dpi) if part)

    def checked(self) -> float | None:
        """The width in inches; raises InputError for an option that is not valid, as far as no font has to be found."""
        if self.style not in STYLES:
            raise unknown("style", self.style, STYLES)
        if self.dpi is not None and not DPI[0] <= self.dpi <= DPI[1]:
            raise OptionError(f"dpi must be from {DPI[0]} to {DPI[1]} pixels per inch; it was {self.dpi}.")
        return self._inches()

    def _inches(self) -> float | None:
        if self.width is None or self.width in WIDTHS:
            return WIDTHS.get(self.width or "")
        try:
            inches = float(self.width)
        except ValueError:
            raise unknown("width", self.width, (*WIDTHS, "a number of inches")) from None
        if not isfinite(inches) or not LEAST <= inches <= MOST:
            raise OptionError(f"width must be from {LEAST:g} to {MOST:g} inches; it was {self.width}.")
        return inches
