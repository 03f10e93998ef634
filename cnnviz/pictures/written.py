"""The tables of pictures as files: CSV with all digits, Markdown, and LaTeX with booktabs and ±."""

from pathlib import Path

import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.comparison.estimates import Estimate
from cnnviz.pictures import tables
from cnnviz.pictures.compared.rows import records
from cnnviz.pictures.latex import escaped
from cnnviz.pictures.tables import Rows, dashed

OF_A_PAGE = 40  # rows; a longer table goes over several pages
ACROSS, BETWEEN = 100, 2.4  # characters of 10 points that are next to each other on 6.9 inches, and between columns
OFF_CENTER = 0.2  # of half of an interval: a value that is farther from its middle has both ends printed


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
    return tables.as_csv(records(rows))


def as_markdown(rows: Rows) -> str:
    """A table of GitHub's Markdown, numbers flush right, an estimate as `0.5 (0.4 to 0.6)`."""
    return tables.markdown(rows, cell=dashed)


def as_latex(rows: Rows, caption: str = "", label: str = "") -> str:
    """A table for booktabs, an estimate as its value ± half of its interval where the value is in its middle.

    One of many rows is a longtable. Columns that are too many for a page of 6.9 inches go on in a tabular below, which
    begins with the same texts.
    """
    parts = [[{name: row[name] for name in names if name in row} for row in rows] for names in _by_width(rows)]
    made = [tables.latex_parts(part, _latex) for part in parts]
    if len(rows) > OF_A_PAGE:
        return "".join(_over_pages(*each, caption, label * (each is made[0])) for each in made)
    head = ["% \\usepackage{booktabs}", "\\begin{table}", "  \\centering"]
    told = [f"  \\caption{{{escaped(caption)}}}", f"  \\label{{{label}}}"] if caption else []
    return "\n".join([*head, *told, "\n  \\medskip\n\n".join(_tabular(*each) for each in made), "\\end{table}", ""])


def _tabular(form: str, names: str, body: list[str]) -> str:
    inside = [f"  \\begin{{tabular}}{{{form}}}", "  \\toprule", names, "  \\midrule"]
    return "\n".join([*inside, *body, "  \\bottomrule", "  \\end{tabular}"])


def _over_pages(form: str, names: str, body: list[str], caption: str, label: str) -> str:
    named = [f"  \\label{{{label}}} \\\\"] if label else ["  \\\\"]
    told = [f"  \\caption{{{escaped(caption)}}}", *named] if caption else []
    head = ["% \\usepackage{booktabs,longtable}", f"{{\\small\\begin{{longtable}}{{{form}}}", *told]
    repeated = ["  \\toprule", names, "  \\midrule", "  \\endhead", "  \\bottomrule", "  \\endfoot"]
    return "\n".join([*head, *repeated, *body, "\\end{longtable}}", ""])


def _by_width(rows: Rows) -> list[list[str]]:
    """The names of the columns that fit next to each other, in groups that all begin with the columns of texts.

    Of a table of nothing but texts, they begin with the first column.
    """
    names = tables.columns_of(rows)
    texts = [name for name in names if all(isinstance(row.get(name, ""), str) for row in rows)]
    texts = texts if len(texts) < len(names) else texts[:1]
    width = {name: BETWEEN + max(len(name), *(len(_plain(row.get(name, ""))) for row in rows)) for name in names}
    groups, room = [[*texts]], ACROSS - sum(width[name] for name in texts)
    free = room
    for name in names:
        if name in texts:
            continue
        if width[name] > free and len(groups[-1]) > len(texts):
            groups.append([*texts])
            free = room
        groups[-1].append(name)
        free -= width[name]
    return [[name for name in names if name in group] for group in groups]


def _plain(value: object) -> str:
    """A cell's text about as wide as it is printed."""
    return _latex(value).replace("\\pm", "±").replace("\\textless{}", "<").replace("$", "")


def _latex(value: object) -> str:
    if isinstance(value, Estimate) and np.isfinite(value.half):
        apart = abs(value.value - (value.low + value.high) / 2)
        if apart <= OFF_CENTER * value.half:
            return f"${value.value:.4f} \\pm {value.half:.4f}$"
        return f"${value.value:.4f}$ (${value.low:.4f}$ to ${value.high:.4f}$)"
    text = escaped(dashed(value)).replace("–", "--")
    return f"${text}$" if isinstance(value, int | float) and text.startswith("-") and text != "--" else text
