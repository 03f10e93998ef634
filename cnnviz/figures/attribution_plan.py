"""Where the cells, names and titles of a page of attribution maps lie: in rows, blocks of columns, groups of rows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from cnnviz.figures.style import MARGIN, current_style, folded, free_height, is_slide, room
from cnnviz.figures.text import Size, width_of, wrapped

SIGNAL = 0.7, 2.2  # inches: the height and width of a signal
CELL, SMALL, FEW = 1.15, 0.8, 4  # inches: a map's longer side on a page with few rows, or with more rows than that
LEAST = 0.75  # inches: a map's least width on a narrow page, which has fewer columns next to each other instead
LEAST_OF_ALL = 0.6  # inches: its least width where all columns are next to each other by that
HIGHEST, SMALLEST = 10.4, 0.5  # inches: a narrow page, at the expense of its maps, which have at least this height
LARGER = 1.6  # how much larger than elsewhere maps may be on a slide
GAP, LINE, BESIDE = 0.08, 0.125, 1.75  # inches: between cells, a line of text, the rows' titles next to them at most
TITLE = 8  # points: the rows' titles next to cells
APART = 0.2  # inches: between groups of rows on a slide
BAR, FOOT = 0.09, 0.3  # inches: color bar, the color bar's numbers
MOST_LINES, MOST_TITLE = 5, 3  # of a column's name, and of a row's title above its cells


class Words(NamedTuple):
    """The titles of rows, the names of columns, and the lines of notes under each map."""

    rows: Sequence[str]
    names: Sequence[str]
    notes: Sequence[Sequence[str]]

    @property
    def below(self) -> float:
        """The height of the notes under a map, in inches."""
        return LINE * max(map(len, self.notes), default=0)

    @property
    def beside(self) -> float:
        """The width in inches that the rows' titles take next to their cells on a slide, with margins."""
        lines = (width_of(line, TITLE, current_style().font) for row in self.rows for line in row.split("\n"))
        return min(BESIDE, max(lines, default=0.0) + 2 * MARGIN)

    @property
    def least(self) -> float:
        """The least width of a map in inches where all columns are next to each other, for its notes to be legible."""
        widest = (width_of(line, 7, current_style().font) for lines in self.notes for line in lines)
        return max([LEAST_OF_ALL, *widest])


@dataclass(frozen=True)
class Plan:
    """Where everything lies on the page, in inches: the cells, and how many columns are next to each other."""

    cell: tuple[float, float]  # height and width
    left: float
    head: float  # above the columns: their names
    above: float  # each cell: a row's title, on a narrow page
    below: float  # each cell: the lines of notes
    rows: int  # of a group
    columns: int
    pitch: float  # from the left of a column to that of the next
    apart: float = 0.0  # from a group of rows to the next one
    shift: float = 0.0  # of everything to the right

    @property
    def step(self) -> float:
        """From the top of a row to that of the next."""
        return self.above + self.cell[0] + self.below + GAP

    @property
    def height(self) -> float:
        """Of a block of columns that are next to each other."""
        return self.head + self.rows * self.step + BAR + FOOT

    @property
    def width(self) -> float:
        """Of a page with one group of rows."""
        return self.left + (self.columns + 1) * self.pitch + MARGIN

    @property
    def period(self) -> float:
        """From the left of a group of rows to that of the next."""
        return self.apart or self.width

    @property
    def bar(self) -> float:
        """The width of a color bar, which has its numbers at its ends."""
        return max(self.cell[1], min(LEAST, self.pitch - GAP))

    def extent(self, i: int) -> tuple[float, float, float, float]:
        """The extent (left, right, bottom, top) of a column's i-th cell, in inches down from the top of the first."""
        return 0.0, self.cell[1], i * self.step + self.cell[0], i * self.step


def plan_of(images: Shaped[np.ndarray, "n *sides c"], words: Words, together: int = 1, title: str = "") -> Plan:
    """Titles of rows and all columns next to each other if the page is wide enough; else titles above, and blocks.

    On a slide rows go into the groups in which maps are the largest.
    """
    natural, count = _cell(images), len(images)
    if is_slide() and (plan := _on_slide(natural, words, together, title)) is not None:
        return plan
    plan = _beside(natural, words)
    if not is_slide() and room(plan.width) >= plan.width:
        groups = max(1, min(int(room(plan.width) / plan.width), -(-count // FEW)))
        return replace(plan, rows=_rows(count, groups, together))
    free, columns = room(0) - 2 * MARGIN + GAP, len(words.names)
    across = max(1, min(columns, int(free / (max(LEAST, words.least) + GAP)) - 1))
    if int(free / (words.least + GAP)) - 1 >= columns:
        across = columns
    plan = _titles_above(words, free / (across + 1), across)
    height = max(SMALLEST, (HIGHEST - plan.height) / count - plan.step)
    share = min(1.0, (plan.pitch - GAP) / natural[1], height / natural[0])
    return replace(plan, cell=(natural[0] * share, natural[1] * share), rows=count)


def titled(words: str, plan: Plan) -> list[str]:
    """A row's title above its cells: in one line if there is room, else in up to three."""
    width = (plan.columns + 1) * plan.pitch - GAP
    return wrapped(words.replace("\n", ", "), width, 7, MOST_TITLE, current_style().font)


def named(name: str, pitch: float) -> list[str]:
    """The lines of a column's name, where columns are so far from each other."""
    lines = [part for line in name.split("\n") for part in folded(line, pitch - GAP, name_size(pitch))]
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "…"]


def name_size(pitch: float) -> Size:
    """The size of a column's name in points."""
    return 7.5 if pitch > 1.0 else 7


def _beside(natural: tuple[float, float], words: Words) -> Plan:
    """One group of rows with their titles next to them, cells of the natural size."""
    pitch, count = natural[1] + GAP, len(words.rows)
    return Plan(natural, BESIDE, _head(words, pitch), 0.0, words.below, count, len(words.names), pitch)


def _titles_above(words: Words, pitch: float, columns: int) -> Plan:
    """No rows so far, of cells without height, with room for the titles of rows above them."""
    plan = Plan((0.0, 0.0), MARGIN, _head(words, pitch), 0.0, words.below, 0, columns, pitch)
    lines = max((len(titled(one, plan)) for one in words.rows), default=1)
    return replace(plan, above=LINE * lines + 0.02)


def _on_slide(natural: tuple[float, float], words: Words, together: int, title: str) -> Plan | None:
    """The arrangement with the largest maps; None if maps would be too small in each."""
    free, best = free_height(title), None
    for plan in _arrangements(words, together):
        height = (free - plan.height) / plan.rows + plan.cell[0]
        least = LEAST * natural[0] / max(natural)  # else the page is too high, and smaller text leaves more to maps
        share = min(LARGER, (plan.pitch - GAP) / natural[1], max(height, least) / natural[0])
        plan = replace(plan, cell=(natural[0] * share, natural[1] * share))
        if best is None or min(height, plan.cell[0]) > best[0]:
            best = min(height, plan.cell[0]), plan
    return best[1] if best is not None else None


def _arrangements(words: Words, together: int) -> Iterator[Plan]:
    """Plans in which the columns fit next to each other, for cells without height: titles above rows, or beside."""
    count, columns = len(words.rows), len(words.names)
    for groups in range(1, count // together + 1):
        rows, width = _rows(count, groups, together), (room(0) - 2 * MARGIN - (groups - 1) * APART) / groups
        for beside in (True, False):
            pitch = (width - beside * (words.beside - MARGIN) + GAP) / (columns + 1)
            if pitch - GAP < words.least or (groups > 1 and _rows(count, groups - 1, together) == rows):
                continue
            plan = _titles_above(words, pitch, columns)
            plan = replace(plan, left=words.beside, above=0.0) if beside else plan
            yield replace(plan, rows=rows, apart=width + APART)


def _rows(count: int, groups: int, together: int) -> int:
    """The rows of a group."""
    return together * math.ceil(count / groups / together)


def _head(words: Words, pitch: float) -> float:
    """The height of the columns' names."""
    return 0.14 + 0.12 * max(len(named(name, pitch)) for name in ("image", *words.names))


def _cell(images: Shaped[np.ndarray, "n *sides c"]) -> tuple[float, float]:
    """The height and width of a cell in inches, where there is room."""
    if images.ndim == 3:
        return SIGNAL
    h, w = images.shape[1:3]
    side = CELL if len(images) <= FEW else SMALL
    return side * h / max(h, w), side * w / max(h, w)
