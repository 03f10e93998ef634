"""Tables as text, for papers and for pages: Markdown, and LaTeX in the style of booktabs."""

from collections.abc import Mapping, Sequence

from cnnviz.pictures.latex import escaped

Rows = Sequence[Mapping[str, object]]


def columns_of(rows: Rows) -> list[str]:
    """The names of the columns, in the order in which the records first have them."""
    return list(dict.fromkeys(name for row in rows for name in row))


def word(value: object) -> str:
    """A cell's text: four decimals, and a dash for NaN."""
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)
    return "–" if text == "nan" else text


def markdown(rows: Rows, caption: str = "") -> str:
    """The records as a Markdown table, numbers flush right, with the caption below."""
    names = columns_of(rows)
    line = lambda cells: f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    rule = ["---:" if _is_numeric(rows, name) else "---" for name in names]
    body = [line([word(row.get(name, "")) for name in names]) for row in rows]
    return "\n".join([line(names), line(rule), *body, "", caption]).rstrip() + "\n"


def latex(rows: Rows, caption: str = "") -> str:
    """The records as a LaTeX table (needs the package booktabs), with the caption in it."""
    names = columns_of(rows)
    line = lambda cells: "  " + " & ".join(map(escaped, cells)) + r" \\"
    form = "".join("r" if _is_numeric(rows, name) else "l" for name in names)
    body = [line([word(row.get(name, "")) for name in names]) for row in rows]
    parts = [r"\begin{table}", rf"\caption{{{escaped(caption)}}}", rf"\begin{{tabular}}{{{form}}}", r"  \toprule"]
    parts += [line(names), r"  \midrule", *body, r"  \bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(parts) + "\n"


WRITERS = {"md": markdown, "tex": latex}


def _is_numeric(rows: Rows, name: str) -> bool:
    return all(isinstance(row.get(name, 0.0), int | float) for row in rows)
