"""Tables as figures: text flush left, numbers flush right, a rule above the last row."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnviz.figures.style import default_style, page

ROW, CHARACTER, GAP = 0.22, 0.088, 0.3  # inches


@default_style()
def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = (), title: str = ""
) -> Figure:
    """The rows under the header; `numeric` columns are flush right, and the last row is a total."""
    widths = [max(len(row[i]) for row in [header, *rows]) * CHARACTER + GAP for i in range(len(header))]
    figure = page(sum(widths), ROW * (len(rows) + 1.6), title)
    ax = figure.subplots()
    ax.set(xlim=(0, max(sum(widths), figure.get_figwidth())), ylim=(len(rows) + 0.9, -0.7))
    ax.set_axis_off()
    for i, row in enumerate([header, *rows]):
        _draw_row(ax, i, row, widths, numeric, bold=i in (0, len(rows)))
    for y in (0.5, len(rows) - 0.5):
        ax.hlines(y, 0, sum(widths) - GAP, color="0.3", linewidth=0.8)
    return figure


def _draw_row(
    ax: Axes, y: int, row: Sequence[str], widths: Sequence[float], numeric: Sequence[int], *, bold: bool
) -> None:
    for i, text in enumerate(row):
        left = sum(widths[:i])
        x, side = (left + widths[i] - GAP, "right") if i in numeric else (left, "left")
        weight = "bold" if bold else "normal"
        ax.text(x, y, text, ha=side, va="center", fontsize=9, fontweight=weight, parse_math=False)
