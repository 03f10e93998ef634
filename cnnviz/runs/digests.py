"""Checks a run's files against the SHA-256 digests in its checkpoints' manifests and in its summary."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.runs import checkpoints, inside, summaries
from cnnviz.runs.checkpoints import SEALED
from cnnviz.runs.config import file_of
from cnnviz.runs.records import METRICS, lines_of


def of(path: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each of these files of a run, by name."""
    return {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in names}


def check(path: Path, steps: Iterable[int]) -> None:
    """Raises InputError if a run's config or environment was changed after the checkpoints at `steps` were written."""
    _refuse(_changed(path, [checkpoints.manifest(checkpoints.folder_of(path, step)) for step in steps]))


def check_latest(path: Path) -> None:
    """Like `check`, against the latest checkpoint whose manifest can be read."""
    _refuse(_changed(path, list(islice(_readable(path), 1))))


def damages(path: Path) -> list[str]:
    """One sentence for each file of a run that is missing or was changed after it was written."""
    file_of(path)
    metrics = path / METRICS
    # before the manifests, which may only be ahead of it
    lines = metrics.read_bytes() if inside.is_file(metrics) else b""
    manifests = list(_readable(path))
    found = _changed(path, manifests)
    for step in checkpoints.steps(path):
        found += checkpoints.damages(checkpoints.folder_of(path, step))
    try:
        summary = summaries.read(path)
    except InputError as error:
        return [*found, str(error)]
    if summary is not None:
        found += _faults(path, summary.get("files", {}).items())
    elif manifests and not lines_of(manifests[0]["history"]).startswith(lines):
        found.append(f"{metrics} does not have the records of the latest checkpoint; --resume writes it again.")
    return list(dict.fromkeys(found))


def _readable(path: Path) -> Iterator[Mapping[str, Any]]:
    """The undamaged manifests, the latest first."""
    for step in reversed(checkpoints.steps(path)):
        try:
            yield checkpoints.manifest(checkpoints.folder_of(path, step))
        except InputError:
            continue


def _changed(path: Path, manifests: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each sealed file that is missing or differs from a manifest; format 1 has no digests."""
    wanted = [(name, manifest.get("run", {}).get(name)) for manifest in manifests for name in SEALED]
    return _faults(path, wanted or [(name, None) for name in SEALED])


def _faults(path: Path, wanted: Iterable[tuple[str, str | None]]) -> list[str]:
    """One sentence for each file that is missing or whose SHA-256 differs from the wanted one, if that is known."""
    faults = dict.fromkeys(_fault(path / name, digest) for name, digest in wanted)
    return [fault for fault in faults if fault]


def _fault(file: Path, wanted: str | None) -> str | None:
    if not inside.is_file(file):
        return f"{file} is missing; the run cannot be used without it."
    found = of(file.parent, [file.name])[file.name]
    if wanted is None or found == wanted:
        return None
    return f"{file} was changed after it was written: its SHA-256 is {found[:12]}…, not {wanted[:12]}…; restore it."


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise InputError(" ".join(faults))
