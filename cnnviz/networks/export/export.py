"""One network written as one file, whole or not at all, and a JSON file beside it that says how it is used."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import jax

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.interop.weights.safetensors import serialized
from cnnviz.networks.net import Net
from cnnviz.registry import resolve


def export(net: Net, to: str, path: Path) -> list[Path]:
    """Writes the network to `path` in the format `to`, a key of EXPORTS, and to `path`.json what it is.

    An existing file is replaced. The JSON has the SHA-256 of the file, that of the weights (which a run's manifest has
    too), how pixels become the input, and what the output is. Raises InputError if the format is unknown, the network
    has several members, it cannot be expressed in the format, or a package is missing.
    """
    write = resolve(resolve_name("cnnviz.networks.export:EXPORTS"), to, "format")
    if len(net.members) > 1:
        seeds = ", ".join(f"{net.path}@{seed}" for seed in net.seeds)
        raise InputError(f"{net.name} has {len(net.members)} networks, a file holds one; name one of {seeds}.")
    facts = facts_of(net)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        own = write(net, temporary, facts)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    described = {"format": to, "file": path.name, "sha256": digest, **facts, **own, "classes": list(net.classes)}
    beside = path.with_name(f"{path.name}.json")
    with atomic_write(beside) as temporary:
        temporary.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path, beside]


def facts_of(net: Net) -> dict[str, Any]:
    """Where the network is from: its name and data set, the SHA-256 of its weights, and the versions."""
    config: Mapping[str, Any] = getattr(net, "config", {})
    model = {name: config[name] for name in ("model", "model_options") if name in config}
    return {
        "network": net.name,
        **model,
        "dataset": net.dataset,
        "weights_sha256": hashlib.sha256(serialized(net.variables)).hexdigest(),
        "cnnviz": resolve_name("cnnviz:__version__"),
        "jax": jax.__version__,
    }
