"""Captions for LaTeX, as files to `\\input` into a figure."""

import re

from cnnviz.figures.printable import printable

SPECIAL = {c: f"\\{c}" for c in "{}$&#_%"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "−": "$-$", "±": r"$\pm$", "×": r"$\times$",
    "…": r"\ldots{}", "ρ": r"$\rho$", "µ": r"$\mu$", "∞": r"$\infty$", "∗": "$*$", "†": r"\dag{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$", "←": r"$\leftarrow$", "\ufffd": "?",
}  # fmt: skip


def escaped(text: str) -> str:
    """The text with LaTeX's special characters escaped, on one line."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(printable(text).split()))


def caption_file(file: str, title: str, caption: str) -> str:
    """The caption and the label of the figure in `file`; its first line is a comment that names the file."""
    label = re.sub(r"[^A-Za-z0-9.:+-]+", "-", file.rpartition(".")[0])
    whole = escaped(f"{title}{'' if title.endswith('?') else '.'} {caption}")
    return f"% {printable(file)}\n\\caption{{{whole}}}\n\\label{{fig:{label}}}\n"
