"""How long the first call of everything takes for ResNet-50 at 224 pixels: tracing, compiling and one image.

    python benchmarks/first_calls.py CACHE [NAME ...]

CACHE is the folder of JAX's compilation cache: an empty one gives the time of the first process, the same one again
that of later processes. NAME is "activations" or a method; by default all.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from cnnviz import networks, probe
from cnnviz.attribution import attribute
from cnnviz.attribution.methods import METHODS
from cnnviz.errors import InputError

SIDE = 224
OPTIONS = {"score_cam": {"max_channels": 64}, "ablation_cam": {"max_channels": 64}}  # of 2,048


def main(folder: str, names: Sequence[str]) -> None:
    use_cache(folder)
    model = networks.build("resnet50", {}, 1000, (SIDE, SIDE, 3))
    images = np.random.default_rng(0).random((1, SIDE, SIDE, 3), np.float32)
    variables = jax.block_until_ready(jax.jit(model.init)(jax.random.key(0), images))
    for name in names or ["activations", *METHODS]:
        try:
            wall, processor = seconds(call_of(name, model, variables, images))
            print(f"{name:30} {wall:6.1f} s, {processor:6.1f} s of processor time", flush=True)
        except InputError as error:  # attention is followed through networks that have it
            print(f"{name:30} {error}", flush=True)


def use_cache(folder: str) -> None:
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def call_of(name: str, model: Any, variables: Any, images: np.ndarray) -> Callable[[], Any]:
    if name == "activations":
        return lambda: probe.activations(model, variables, images)
    options: dict[str, Any] = OPTIONS.get(name, {})
    return lambda: attribute(name, model, variables, images, jnp.array([3]), key=jax.random.key(0), **options)


def seconds(run: Callable[[], Any]) -> tuple[float, float]:
    """The time that passes, and that of all threads, which does not depend on what else the machine does."""
    start, used = time.perf_counter(), time.process_time()
    jax.block_until_ready(run())
    return time.perf_counter() - start, time.process_time() - used


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
