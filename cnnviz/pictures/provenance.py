"""Where a comparison comes from: what each network's files are, by their SHA-256, and what computed it."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from cnnviz.networks import Net
from cnnviz.pictures import kept

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "matplotlib")
RECORDS = ("config.json", "environment.json", "metrics.jsonl", "summary.json")


def provenance(
    networks: Sequence[Net], wheres: Sequence[str | None], about: Mapping[str, Any], files: Sequence[Path]
) -> dict[str, Any]:
    """What is needed to make these files again: command, versions, and digests of networks and files.

    `wheres` are the places of the networks as they were typed, and `about` what the files' metadata says.
    """
    return {
        "command": about.get("command", ""),
        "networks": [_network(net, where) for net, where in zip(networks, wheres, strict=True)],
        "shown": about.get("shown", {}),
        "versions": _versions(),
        "files": {path.name: digest(path) for path in sorted(set(files))},
    }


def _network(net: Net, where: str | None) -> dict[str, Any]:
    """One network: its name, place, seeds, data, the digests of its files, and that of each member's variables."""
    path = net.path if net.path is not None else Path(where) if where else None
    found: dict[str, Any] = {"name": net.name, "where": where or str(path or ""), "seeds": list(net.seeds)}
    if net.data:
        found["trained on"] = {key: net.data[key] for key in ("name", "fingerprint") if net.data.get(key)}
    if path is not None and path.is_dir():
        found["files"] = {name: digest(path / name) for name in RECORDS if (path / name).is_file()}
    elif path is not None and path.is_file():
        found["files"] = {path.name: digest(path)}
    found["variables"] = [kept.digest(variables) for variables in net.members]
    return found


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    found = {"cnnviz": resolve_name("cnnviz:__version__"), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
