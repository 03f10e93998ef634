"""The tables of pictures as files: CSV with all digits, Markdown, and LaTeX with booktabs and ±."""

from pathlib import Path

import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.comparison.estimates import Estimate
from cnnviz.pictures import tables
from cnnviz.pictures.compared.rows import records
from cnnviz.pictures.latex import escaped
from cnnviz.pictures.tables import Rows, word

OF_A_PAGE = 40  # rows; a longer table goes over several pages


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
    return tables.markdown(rows, cell=tables.word)


def as_latex(rows: Rows, caption: str = "", label: str = "") -> str:
    """A table for booktabs, an estimate as its value ± half of its interval; one of many rows is a longtable."""
    form, names, body = tables.latex_parts(rows, _latex)
    if len(rows) > OF_A_PAGE:
        return _over_pages(form, names, body, caption, label)
    head = ["% \\usepackage{booktabs}", "\\begin{table}", "  \\centering"]
    told = [f"  \\caption{{{escaped(caption)}}}", f"  \\label{{{label}}}"] if caption else []
    inside = [f"  \\begin{{tabular}}{{{form}}}", "  \\toprule", names, "  \\midrule"]
    return "\n".join([*head, *told, *inside, *body, "  \\bottomrule", "  \\end{tabular}", "\\end{table}", ""])


def _over_pages(form: str, names: str, body: list[str], caption: str, label: str) -> str:
    told = [f"  \\caption{{{escaped(caption)}}}", f"  \\label{{{label}}} \\\\"] if caption else []
    head = ["% \\usepackage{booktabs,longtable}", f"\\begin{{longtable}}{{{form}}}", *told]
    repeated = ["  \\toprule", names, "  \\midrule", "  \\endhead", "  \\bottomrule", "  \\endfoot"]
    return "\n".join([*head, *repeated, *body, "\\end{longtable}", ""])


def _latex(value: object) -> str:
    if isinstance(value, Estimate) and np.isfinite(value.half):
        return f"${value.value:.4f} \\pm {value.half:.4f}$"
    return escaped(word(value)).replace("–", "--")
