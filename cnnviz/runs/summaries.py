"""A run's summary.json: the final results, with the SHA-256 of the run's other files and of itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.runs import inside, json_files
from cnnviz.runs.checkpoints import SEALED
from cnnviz.runs.json_files import anything, list_of, mapping_of, maybe, must_be, number, record, sha256, whole_number
from cnnviz.runs.records import METRICS, RECORD

NAME, FORMAT = "summary.json", 2
SHARE = must_be("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
MEASURED = {"test_loss": number, "test_accuracy": SHARE}
FURTHER = {  # of runs since there were such
    "test_top5_accuracy": SHARE,  # of more than five classes
    "test_macro_f1": SHARE,
    "test_class_accuracy": mapping_of(maybe(SHARE)),  # null for a class without test images
}
FILES = (*SEALED, METRICS)  # the summary has their SHA-256
DIGESTS = mapping_of(sha256, must_be(f"one of {', '.join(FILES)}", FILES.__contains__))
OPTIONAL = {
    "format": anything,
    "best": RECORD,
    **FURTHER,
    "networks": list_of(record({**MEASURED, "best": RECORD}, FURTHER), least=2),
    "test_loss_sd": number,
    "test_accuracy_sd": number,
    "epochs": whole_number(1),
}
FORMATS = {
    1: record(MEASURED, {**OPTIONAL, "files": DIGESTS}),  # before a summary had its own digest
    2: record({**MEASURED, "files": DIGESTS, "digest": sha256}, OPTIONAL),
}


def write(path: Path, summary: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Writes the summary of the run at `path`; `files` are the SHA-256 of its other files."""
    json_files.write(path / NAME, json_files.sealed({"format": FORMAT, **summary, "files": files}))


def read(path: Path) -> dict[str, Any] | None:
    """The summary of the run at `path`, or None if training has not ended; raises InputError if it is damaged."""
    if not inside.is_file(path / NAME):
        return None
    try:
        return json_files.read(path / NAME, FORMATS)
    except InputError as error:
        raise InputError(f"{error} Remove it, and --resume measures the run again.") from error
