"""A network from a file of another framework, with a fresh draw as its untrained twin."""

from pathlib import Path

import jax
import jax.numpy as jnp

from cnnviz.interop import READERS
from cnnviz.networks.net import Net
from cnnviz.registry import resolve


def read(path: Path, seed: int = 0) -> Net:
    """The network in a file, by the reader of its ending; `seed` is the key of the untrained twin, a fresh draw."""
    model, variables = resolve(READERS, path.suffix, "reader")(path)
    image = jax.ShapeDtypeStruct((1, *model.image_shape), jnp.float32)
    untrained = model.lazy_init(jax.random.key(seed), image)  # computes nothing of an image
    return Net(path.stem, model, [variables], [untrained], tuple(model.image_shape))
