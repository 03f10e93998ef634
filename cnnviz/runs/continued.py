"""A run's continued.json: that its training went on after its end, with more epochs than its config.json asks for.

config.json stays as it was written, since every checkpoint has its SHA-256; this file has its own.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.runs import inside, json_files
from cnnviz.runs.json_files import anything, list_of, record, sha256, whole_number

NAME, FORMAT = "continued.json", 1
PART = record({"after": whole_number(1), "epochs": whole_number(1)})
FORMATS = {1: record({"parts": list_of(PART, least=1), "digest": sha256}, {"format": anything})}


def read(path: Path) -> list[dict[str, int]]:
    """Each time that the run's training went on, `after` which epoch and to how many `epochs`; raises InputError if
    the file is damaged."""
    if not inside.is_file(path / NAME):
        return []
    parts = json_files.read(path / NAME, FORMATS)["parts"]
    steps = [step for part in parts for step in (part["after"], part["epochs"])]
    if any(later < earlier for earlier, later in pairwise(steps)):
        raise json_files.damaged(path / NAME, ValueError("its epochs do not increase"))
    return parts


def write(path: Path, after: int, epochs: int) -> None:
    """Notes that the training of the run goes on after an epoch, to more epochs in all."""
    parts = [*read(path), {"after": after, "epochs": epochs}]
    json_files.write(path / NAME, json_files.sealed({"format": FORMAT, "parts": parts}))


def applied(path: Path, content: Mapping[str, Any], asked: int) -> dict[str, Any]:
    """The content of the run's config.json with the epochs that it was continued to, and after which epochs it was.

    `asked` are the epochs that config.json asks for. Raises InputError if continued.json is damaged or has fewer.
    """
    if not (parts := read(path)):
        return dict(content)
    if (epochs := parts[-1]["epochs"]) <= asked:
        raise InputError(f"{path / NAME} is damaged (it has {counted(epochs, 'epoch')}, and config.json {asked}).")
    recipe = {**content["recipe"], "epochs": epochs}
    return {**content, "recipe": recipe, "continued": [part["after"] for part in parts]}
