"""The records of a run, one for each epoch and network: what each must have, and metrics.jsonl, one line per record."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnviz.atomic import atomic_write
from cnnviz.runs.json_files import finite, integer, number, record, whole_number

METRICS = "metrics.jsonl"
RECORD = record(
    {"epoch": whole_number(1), "step": whole_number(1), "val_loss": finite},
    {"seed": integer},
    others=number,
)


def lines_of(history: Sequence[Mapping[str, float | int]]) -> bytes:
    """What metrics.jsonl has for these records."""
    return "".join(json.dumps(record) + "\n" for record in history).encode()


def mend_metrics(path: Path, history: Sequence[Mapping[str, float | int]]) -> bool:
    """Makes metrics.jsonl the records of the latest checkpoint; whether it was anything else before."""
    file, lines = path / METRICS, lines_of(history)
    if file.is_file() and file.read_bytes() == lines:
        return False
    with atomic_write(file) as temporary:
        temporary.write_bytes(lines)
    return True
