"""CONTROLS: maps that know nothing of the network, which every method should beat."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.ndimage import sobel

from cnnviz.batching import map_rows
from cnnviz.types import Given, Key


def random(images: Given, key: Key) -> Float[np.ndarray, "n ..."]:
    """A map of independent uniform numbers; it depends on the key and the place of the image, not on the image."""
    sides = images.shape[1:-1] or images.shape[1:]
    draw = jax.jit(jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), sides)))
    return np.asarray(map_rows(draw, jnp.arange(len(images))))


def edges(images: Given, key: Key) -> Float[np.ndarray, "n ..."]:
    """The length of the image's gradient, by Sobel's filter, averaged over channels: an edge detector.

    Adebayo et al. 2018, Sanity checks for saliency maps (arXiv:1810.03292), compare maps with one.
    """
    values = np.asarray(images, np.float32)
    if values.ndim == 2:  # vectors have no edges
        return abs(values - values.mean(0))
    axes = [axis for axis in range(1, values.ndim - 1) if values.shape[axis] > 1]
    length = np.sqrt(sum(np.square(_slope(values, axis, axes)) for axis in axes))
    return length.mean(-1)


def _slope(values: np.ndarray, axis: int, axes: list[int]) -> np.ndarray:
    """The derivative along one axis of images, by Sobel's filter, which smooths along the others."""
    filtered = partial(sobel, mode="nearest") if len(axes) == values.ndim - 2 else np.gradient  # with a side of 1
    one = partial(filtered, axis=axis - 1)
    every = [np.stack([one(image[..., c]) for c in range(image.shape[-1])], -1) for image in values]
    return np.stack(every)


EDGES = "sobel"
CONTROLS = {"random": random, EDGES: edges}
