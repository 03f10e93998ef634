"""The records of a run, one per epoch and member: the keys that each must have, and the file metrics.jsonl."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnviz.atomic import atomic_write
from cnnviz.runs import inside
from cnnviz.runs.json_files import finite, integer, number, record, whole_number

METRICS = "metrics.jsonl"
RECORD = record(
    {"epoch": whole_number(1), "step": whole_number(1), "val_loss": finite},
    {"seed": integer},
    others=number,
)


def lines_of(history: Sequence[Mapping[str, float | int]]) -> bytes:
    """The content of metrics.jsonl for these records, one line per record."""
    return "".join(json.dumps(record) + "\n" for record in history).encode()


def mend_metrics(path: Path, history: Sequence[Mapping[str, float | int]]) -> bool:
    """Writes the records of the latest checkpoint to metrics.jsonl; False if it had exactly these already."""
    file, lines = path / METRICS, lines_of(history)
    if inside.is_file(file) and file.read_bytes() == lines:
        return False
    with atomic_write(file) as temporary:
        temporary.write_bytes(lines)
    return True
