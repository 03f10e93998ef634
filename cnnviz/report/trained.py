"""How the networks of a page were trained, as their runs have recorded it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnviz.networks import Net

RECORDS = {"config.json": "configuration", "environment.json": "environment"}


def trained(nets: Sequence[Net]) -> dict[str, Any]:
    """The configuration and the environment (versions, devices, command) of each network's run, by what they are of.

    A network without a run has none, nor has a file that cannot be read.
    """
    found = {
        f"{what} of {net.name}": _record(net.path / file)
        for net in nets
        if net.path is not None
        for file, what in RECORDS.items()
    }
    return {name: record for name, record in found.items() if record}


def _record(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
