"""Writing a report: one file, whole or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.report.budget import LIMIT, Choice, fitted
from cnnviz.report.html import Content, Encoder, rendered
from cnnviz.report.payload import Shown


def write(
    path: Path,
    content: Content,
    networks: Sequence[Shown],
    about: Mapping[str, Any],
    limit: int = LIMIT,
) -> tuple[int, Choice]:
    """Writes the page with these networks running in it; returns its size in bytes and what was chosen for that.

    An existing file is replaced. Raises InputError if the page does not fit the limit or cannot be written.
    """
    encoder = Encoder(about)

    def make(choice: Choice, notes: list[str]) -> str:
        described = [shown.described(choice.weights, choice.steps, choice.most_steps) for shown in networks]
        payload = {**content.payload, "networks": described}
        return rendered(
            replace(content, payload=payload, notes=[*content.notes, *notes]), encoder, choice.dpi, choice.numbers
        )

    page, choice = fitted(make, limit)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise InputError(f"{path} is a folder; --out names a file, such as {path / 'report.html'}.")
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error
    return len(page.encode()), choice
