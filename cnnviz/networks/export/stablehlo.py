"""Networks as StableHLO, serialized by `jax.export`: any version of JAX of the next months loads it without cnnviz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from jax import export

from cnnviz.networks.export.called import called, described
from cnnviz.networks.net import Net

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write(net: Net, path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the function of prepared images, with its weights as constants, for batches of any size."""
    found = called(net)
    exported = export.export(jax.jit(found.function), platforms=PLATFORMS)(found.images)
    path.write_bytes(exported.serialize())
    how = f"jax.export.deserialize(open({path.name!r}, 'rb').read()).call(images)"
    return {**described(net), "platforms": list(PLATFORMS), "load": how}
