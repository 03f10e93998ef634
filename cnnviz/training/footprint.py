"""The memory that a training takes, from shapes alone, so that one that cannot fit ends before anything is drawn."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz import memory
from cnnviz.errors import OutOfMemory
from cnnviz.graph.cost import layer_bytes
from cnnviz.probe.trace import trace
from cnnviz.training.feed import memory_of
from cnnviz.training.state import State
from cnnviz.types import PyTree


def check_memory(model: Any, state: State, image_shape: tuple[int, ...], batch_size: int, networks: int = 1) -> None:
    """Raises OutOfMemory if the states of the networks and a step over one batch cannot fit into memory.

    `state` has the shapes of one network's state. Counted are the states, one gradient, and the outputs of convolutions
    and matrix products, which the gradient needs.
    """
    batch = jax.ShapeDtypeStruct((batch_size, *image_shape), jnp.float32)
    traced = trace(model, state.latest, batch, {})
    held, gradient, kept = networks * _bytes(state), _bytes(state.params), layer_bytes(traced.graph, traced.image)
    device = jax.local_devices()[0]
    room = memory.free() if device.platform == "cpu" else memory_of(device)
    if (size := held + gradient + kept) > room:
        asked, left, images = memory.in_words(size), memory.in_words(room), "x".join(map(str, image_shape))
        parts = f"{memory.in_words(held + gradient)} for the parameters and the optimizer, {memory.in_words(kept)} for"
        raise OutOfMemory(
            f"Training takes at least {asked} of memory ({parts} a batch of {batch_size} images of {images}), and "
            f"{left} are free; make --batch-size, the images or --model smaller."
        )


def _bytes(tree: PyTree) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
