"""Tables as text: cells, CSV with all digits, Markdown, and LaTeX in the style of booktabs."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence

from cnnviz.pictures.latex import escaped

Rows = Sequence[Mapping[str, object]]


def columns_of(rows: Rows) -> list[str]:
    """The names of the columns, in the order in which the records first have them."""
    return list(dict.fromkeys(name for row in rows for name in row))


def word(value: object) -> str:
    """A cell's text, with four decimals."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)


def dashed(value: object) -> str:
    """A cell's text, with a dash for NaN."""
    return "–" if (text := word(value)) == "nan" else text


def as_csv(rows: Rows, columns: Sequence[str] = ()) -> str:
    """One line per record under the names of the columns, by default those that the records have."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns_of(rows) or columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def markdown(rows: Rows, caption: str = "", cell: Callable[[object], str] = dashed) -> str:
    """The records as a table of GitHub's Markdown, numbers flush right, with the caption below."""
    names = columns_of(rows)
    line = lambda cells: f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"
    rule = "| " + " | ".join("---:" if is_numeric(rows, name) else "---" for name in names) + " |"
    body = [line([cell(row.get(name, "")) for name in names]) for row in rows]
    return "\n".join([line(names), rule, *body, "", caption]).rstrip() + "\n"


def latex(rows: Rows, caption: str = "") -> str:
    """The records as a LaTeX table (needs the package booktabs), with the caption in it."""
    form, head, body = latex_parts(rows, lambda value: escaped(dashed(value)))
    parts = [r"\begin{table}", rf"\caption{{{escaped(caption)}}}", rf"\begin{{tabular}}{{{form}}}", r"  \toprule"]
    parts += [head, r"  \midrule", *body, r"  \bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(parts) + "\n"


def latex_parts(rows: Rows, cell: Callable[[object], str]) -> tuple[str, str, list[str]]:
    """The alignment of a tabular's columns, its line of names and its lines of cells."""
    names = columns_of(rows)
    line = lambda cells: "  " + " & ".join(cells) + r" \\"
    form = "".join("r" if is_numeric(rows, name) else "l" for name in names)
    return form, line(map(escaped, names)), [line([cell(row.get(name, "")) for name in names]) for row in rows]


def is_numeric(rows: Rows, name: str) -> bool:
    """Whether a column has numbers and estimates alone."""
    return all(not isinstance(row[name], str) for row in rows if name in row)


WRITERS = {"md": markdown, "tex": latex}
