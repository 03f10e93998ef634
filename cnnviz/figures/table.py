"""Tables as figures: text flush left, numbers flush right, a rule above the last row."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.names import distinct
from cnnviz.figures.style import MARGIN, current_style, default_style, folded, page, place, points, room
from cnnviz.figures.text import Size, width_of

Row = Sequence[str]  # a cell has a line for each line of its text


class Look(NamedTuple):
    """The size of text in points, and in inches the gap after a column and a line's height."""

    size: Size
    gap: float
    row: float


LARGE, SMALL = (
    Look(9, 0.3, 0.22),
    (Look(7, 0.14, 0.15), Look(6.5, 0.08, 0.14), Look(6, 0.06, 0.13), Look(5.9, 0.04, 0.12)),
)
WIDEST = 12.0  # inches: a page whose width nobody asked for
SHARE = 0.15  # of the page: what the first column may have in any case
BOLD = 1.15  # how much wider bold text is, at most, in which widths of columns are measured
CAPITAL = 0.73  # of a font's size: the height of its capitals
MOST_MORE = 0.6  # inches: how much wider gaps become where the page is wider than the table
LEAST, MOST = 0.7, 0.9  # inches: of a folded table, the first column at least and other columns of words at most


@default_style()
def table(
    header: Row, rows: Sequence[Row], *, numeric: Sequence[int] = (), title: str = "", total: bool = True
) -> Figure:
    """The rows under the header; `numeric` columns are flush right, and with `total` the last row is one.

    Where the page is too narrow, or would be wider than 12 inches, text is smaller, and headings and words take several
    lines; where that is not enough, the columns go into blocks below each other, each with the first column.
    """
    every, look = _legible([header, *rows], numeric)
    blocks = [[0, *block] for block in _blocks(_widths(every, look), look.gap)] or [[0]]
    parts = [[[cells[i] for i in block] for cells in every] for block in blocks]
    look = min((_spread(part, look) for part in parts), key=lambda each: each.gap)
    widths = _widths(every, look)
    lines = [[max(cell.count("\n") + 1 for cell in cells) for cells in part] for part in parts]
    heights, width = [look.row * (sum(own) + 0.6) for own in lines], max(sum(widths[i] for i in own) for own in blocks)
    height = sum(heights)
    across = room(min(width + MARGIN, WIDEST))
    figure = page(across, height, title, arranged=False)
    ax = place(figure, MARGIN, 0.0, across - MARGIN, height)
    ax.set(xlim=(0, across - MARGIN), ylim=(height, 0))
    ax.set_axis_off()
    for k, block in enumerate(blocks):
        top, own = sum(heights[:k]) + 0.3 * look.row, [widths[i] for i in block]
        flush = [j for j, i in enumerate(block) if i in numeric]
        for i, cells in enumerate(every):
            is_bold = i in ((0, len(rows)) if total else (0,))
            _draw_row(ax, top, [cells[j] for j in block], own, flush, look, bold=is_bold)
            top += look.row * lines[k][i]
            if i in (0, len(rows) - 1 if total else 0):
                ax.hlines(top, 0, sum(own) - look.gap, color="0.3", linewidth=points(0.8))
    return figure


def _legible(every: Sequence[Row], numeric: Sequence[int]) -> tuple[Sequence[Row], Look]:
    """The header and the rows, and the look in which they fit the page; if there is none, the first small one."""
    natural = sum(_widths(every, LARGE)) + MARGIN
    if natural <= room(min(natural, WIDEST)):
        return every, LARGE
    compact = [(_compact(every, numeric, small), small) for small in SMALL]
    fits = lambda rows, small: sum(_widths(rows, small)) - small.gap <= room(WIDEST) - 2 * MARGIN
    return next((pair for pair in compact if fits(*pair)), compact[0])


def _blocks(widths: Sequence[float], gap: float) -> list[list[int]]:
    """The columns after the first in as many blocks as they need, each of which fits the page with the first one."""
    free, blocks = room(min(sum(widths) + MARGIN, WIDEST)) - 2 * MARGIN + gap, []
    for i in range(1, len(widths)):
        if blocks and widths[0] + sum(widths[j] for j in blocks[-1]) + widths[i] <= free + 1e-6:
            blocks[-1].append(i)
        else:
            blocks.append([i])
    return blocks


def _compact(rows: Sequence[Row], numeric: Sequence[int], look: Look) -> list[list[str]]:
    """The rows with headings in lines of one word, and with words folded so that the columns fit the page."""
    fold = lambda text, width: "\n".join(folded(text, width, look.size))
    found = [list(cells) for cells in rows]
    for cells in found[1:]:
        cells[1:] = [cell if i in numeric else fold(cell, MOST) for i, cell in enumerate(cells[1:], 1)]
    own = _widths(found[1:], look) if rows[1:] else [0.0] * len(rows[0])
    more = max(0.0, room(WIDEST) - 2 * MARGIN - sum(own)) / len(own)  # what headings may widen their columns by
    found[0] = [_headed(heading, width + more - look.gap, look) for heading, width in zip(rows[0], own, strict=True)]
    free = room(WIDEST) - 2 * MARGIN - sum(_widths([cells[1:] for cells in found], look)) - look.gap
    width, names = max(LEAST, SHARE * room(WIDEST), free / BOLD), [cells[0] for cells in found]
    first = [fold(name, width) for name in names]
    if len(set(first)) < len(set(names)):
        first = distinct(names, width, look.size)
    return [[name, *cells[1:]] for name, cells in zip(first, found, strict=True)]


def _headed(heading: str, width: float, look: Look) -> str:
    """The heading in lines that are no wider than its column, where its words are not."""
    font, lines = current_style().font, [""]
    for word in heading.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, look.size, font, "bold") > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _widths(rows: Sequence[Row], look: Look) -> list[float]:
    """The width of each column in inches, with the gap after it."""
    font = current_style().font
    width = lambda cell: max(width_of(line, look.size, font, "bold") for line in cell.split("\n"))
    return [max(map(width, column)) + look.gap for column in zip(*rows, strict=True)]


def _spread(rows: Sequence[Row], look: Look) -> Look:
    """The look with wider gaps, so that the table is about as wide as the page that was asked for."""
    free = room(0) - 2 * MARGIN - sum(_widths(rows, look)) + look.gap
    if current_style().width is None or free <= 0:
        return look
    return look._replace(gap=look.gap + min(MOST_MORE, free / max(1, len(rows[0]) - 1)))


def _draw_row(
    ax: Axes, top: float, cells: Row, widths: Sequence[float], numeric: Sequence[int], look: Look, *, bold: bool
) -> None:
    """Each line of each cell on its row's baseline, which is the same whichever letters a cell has."""
    style = {"fontsize": points(look.size), "fontweight": "bold" if bold else "normal"}
    baseline = top + 0.5 * look.row + 0.5 * CAPITAL * look.size / 72
    for i, text in enumerate(cells):
        left = sum(widths[:i])
        x, side = (left + widths[i] - look.gap, "right") if i in numeric else (left, "left")
        for j, line in enumerate(text.split("\n")):
            ax.text(x, baseline + j * look.row, line, ha=side, va="baseline", parse_math=False, **style)
