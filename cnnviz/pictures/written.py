"""The tables of pictures as files: CSV with all digits, Markdown, and LaTeX with booktabs and ±."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.comparison.estimates import Estimate
from cnnviz.pictures.compared.rows import records
from cnnviz.pictures.latex import escaped

Rows = Sequence[Mapping[str, object]]


def write_tables(rows: Rows, folder: Path, name: str, caption: str = "") -> list[Path]:
    """Writes the rows as NAME_table.csv, .md and .tex, atomically; returns the paths, none for no rows."""
    if not rows:
        return []
    texts = {"csv": as_csv(rows), "md": as_markdown(rows), "tex": as_latex(rows, caption, f"tab:{name}")}
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}_table.{ending}" for ending in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return paths


def as_csv(rows: Rows) -> str:
    """One line per row, an estimate as its value and both ends, with all digits."""
    flat = records(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(flat), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def as_markdown(rows: Rows) -> str:
    """A table of GitHub's Markdown, numbers flush right, an estimate as `0.5 (0.4 to 0.6)`."""
    names = columns(rows)
    cell = lambda value: word(value).replace("|", "\\|")
    line = lambda cells: f"| {' | '.join(cells)} |"
    marks = ["---:" if is_numeric(rows, name) else "---" for name in names]
    return "\n".join(
        [line(names), line(marks), *(line([cell(row.get(name, "")) for name in names]) for row in rows), ""]
    )


def as_latex(rows: Rows, caption: str = "", label: str = "") -> str:
    """A table for booktabs, an estimate as its value ± half of its interval."""
    names = columns(rows)
    aligned = "".join("r" if is_numeric(rows, name) else "l" for name in names)
    line = lambda cells: "  " + " & ".join(cells) + r" \\"
    body = [line([_latex(row.get(name, "")) for name in names]) for row in rows]
    head = ["% \\usepackage{booktabs}", "\\begin{table}", "  \\centering"]
    told = [f"  \\caption{{{escaped(caption)}}}", f"  \\label{{{label}}}"] if caption else []
    inside = [f"  \\begin{{tabular}}{{{aligned}}}", "  \\toprule", line(list(map(escaped, names))), "  \\midrule"]
    return "\n".join([*head, *told, *inside, *body, "  \\bottomrule", "  \\end{tabular}", "\\end{table}", ""])


def columns(rows: Rows) -> list[str]:
    """The names of all columns in order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def is_numeric(rows: Rows, name: str) -> bool:
    """Whether a column has numbers and estimates alone."""
    return all(not isinstance(row[name], str) for row in rows if name in row)


def word(value: object) -> str:
    """A cell as text, with four decimals."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _latex(value: object) -> str:
    if isinstance(value, Estimate) and np.isfinite(value.half):
        return f"${value.value:.4f} \\pm {value.half:.4f}$"
    return escaped(word(value)).replace("–", "--")
