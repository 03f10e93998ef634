"""A network's variables alone, as safetensors or as Flax's own MessagePack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from flax import serialization

from cnnviz.interop.weights.safetensors import serialized
from cnnviz.networks.export.called import taken
from cnnviz.networks.net import Net


def write_safetensors(net: Net, path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Writes arrays by names such as params/conv1/kernel, with the facts as the file's metadata."""
    path.write_bytes(serialized(net.variables, {name: str(value) for name, value in facts.items()}))
    return {"input": taken(net), "load": f"safetensors.numpy.load_file({path.name!r})"}


def write_msgpack(net: Net, path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Writes what `flax.serialization.from_bytes` and `msgpack_restore` read."""
    path.write_bytes(serialization.to_bytes(jax.device_get(net.variables)))
    return {"input": taken(net), "load": f"flax.serialization.msgpack_restore(open({path.name!r}, 'rb').read())"}
