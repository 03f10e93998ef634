"""The memory that a training takes, from shapes alone, so that one that cannot fit ends before anything is drawn."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.errors import OutOfMemory, memory
from cnnviz.errors.wording import counted
from cnnviz.graph.cost import layer_bytes
from cnnviz.probe.trace import trace
from cnnviz.training.state import State
from cnnviz.types import PyTree

# A step on CPU takes this many times the outputs of its layers (measured with the default network: values before and
# after pooling, their gradients, and patches of images); compiling it reserves so many bytes of address space.
PER_BYTE, COMPILING = 3, 300_000_000


def check_memory(model: Any, state: State, image_shape: tuple[int, ...], batch_size: int, networks: int = 1) -> None:
    """Raises OutOfMemory if the states of the networks and a step over one batch would not fit into memory.

    `state` has the shapes of one network's state. Counted are the states, one gradient, and PER_BYTE times the outputs
    of convolutions and matrix products, which the gradient needs.
    """
    batch = jax.ShapeDtypeStruct((batch_size, *image_shape), jnp.float32)
    traced = trace(model, state.latest, batch, {})
    held, values = (
        networks * _bytes(state) + _bytes(state.params),
        PER_BYTE * layer_bytes(traced.graph, *traced.images.values()),
    )
    device = jax.local_devices()[0]
    room = memory.free() if device.platform == "cpu" else memory.of_device(device)
    compiling = COMPILING if device.platform == "cpu" and memory.address_space() else 0
    if (size := held + values + compiling) > room:
        asked, left, images = memory.in_words(size), memory.in_words(room), "x".join(map(str, image_shape))
        parts = f"{memory.in_words(held)} for parameters and optimizer, {memory.in_words(values)} for a batch of"
        raise OutOfMemory(
            f"Training takes about {asked} of memory ({parts} {counted(batch_size, 'image')} of {images}), and {left} "
            f"are free; make --batch-size, the images or --model smaller."
        )


def _bytes(tree: PyTree) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
