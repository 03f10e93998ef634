"""Makes the notebooks of this folder from the scripts beside them, and runs them: `python examples/make.py`.

A script is cut at its lines `# %%` (code) and `# %% [markdown]` (text, in comments), as editors and jupytext do.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
NAMES = ("the_chapter", "your_own_network", "comparing_two_runs")
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(script: Path) -> NotebookNode:
    """The notebook of a script, without outputs; its cells are numbered, so that it is the same each time."""
    parts = re.split(r"^# %%(.*)\n", script.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    cells = []
    for kind, body in zip(parts[::2], parts[1::2], strict=True):
        text = body.strip()
        if "[markdown]" in kind:
            cells.append(new_markdown_cell(re.sub(r"^# ?", "", text, flags=re.MULTILINE), id=f"cell-{len(cells)}"))
        else:
            cells.append(new_code_cell(text, id=f"cell-{len(cells)}"))
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def run(made: NotebookNode, folder: Path, timeout: int = 600) -> NotebookNode:
    """The notebook with its outputs, run in this folder; raises CellExecutionError if a cell fails."""
    NotebookClient(
        made, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    for cell in made.cells:
        cell.metadata.pop("execution", None)  # the times of this run
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]  # progress
    return made


def main(names: list[str]) -> None:
    for name in names or NAMES:
        made = run(notebook(HERE / f"{name}.py"), HERE)
        nbformat.write(made, HERE / f"{name}.ipynb")
        print(HERE / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
