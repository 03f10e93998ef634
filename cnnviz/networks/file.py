"""Networks from files of other frameworks, each with freshly drawn variables as its untrained twin."""

from pathlib import Path

import jax
import jax.numpy as jnp

from cnnviz.interop import READERS
from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.registry import resolve


def read(path: Path, seed: int = 0) -> Net:
    """The network in a file, read by the reader for its suffix; `seed` is the seed of the untrained twin.

    Raises InputError if there is no reader for the suffix or the file cannot be read.
    """
    model, variables = resolve(READERS, path.suffix, "reader")(path)
    image = jax.ShapeDtypeStruct((1, *model.image_shape), jnp.float32)
    untrained = model.lazy_init(jax.random.key(seed), image)  # without a forward pass
    prepare = Prepare(scale=getattr(model, "pixel_scale", Prepare.scale))
    return Net(path.stem, model, [variables], [untrained], tuple(model.image_shape), prepare=prepare)
