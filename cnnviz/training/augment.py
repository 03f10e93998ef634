"""Random augmentation of training images: shifts, flips and erased rectangles.

Pixels shifted in from outside the image, and erased ones, are 0 (black).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Int, Shaped, UInt8

from cnnviz.types import Array, Key

AREA = (0.02, 0.33)  # share of the image that is erased
ASPECT = (0.3, 1 / 0.3)  # height / width of the erased rectangle
Pixels = UInt8[Array, "h w c"]


def augment(images: Shaped[Array, "n h w c"], key: Key, *, shift: int, flip: bool, erase: float) -> Array:
    """The images, each shifted by up to `shift` pixels, flipped, and erased in part, at random.

    An image is flipped with probability 1/2 if `flip`, and loses a rectangle with probability `erase`.
    """
    keys = jax.random.split(key, len(images))
    return jax.vmap(lambda image, image_key: _augment(image, image_key, shift, flip, erase))(images, keys)


def _augment(image: Pixels, key: Key, shift: int, flip: bool, erase: float) -> Pixels:
    shift_key, flip_key, erase_key = jax.random.split(key, 3)
    if shift:
        image = shifted(image, jax.random.randint(shift_key, (2,), -shift, shift + 1), shift)
    if flip:
        image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
    return erased(image, erase_key, erase) if erase else image


def shifted(image: Pixels, by: Int[Array, "2"], most: int) -> Pixels:
    """The image moved down and right by the pixels in `by`, each of magnitude at most `most`."""
    padded = jnp.pad(image, ((most, most), (most, most), (0, 0)))
    return jax.lax.dynamic_slice(padded, (most - by[0], most - by[1], 0), image.shape)


def erased(image: Pixels, key: Key, probability: float) -> Pixels:
    """With this probability, the image with a random rectangle set to 0.

    Zhong et al., "Random Erasing Data Augmentation", 2017: AREA and ASPECT are drawn as in algorithm 1. A side that
    would be longer than the image is shortened to it.
    """
    height, width, _ = image.shape
    whether, area, aspect, top, left = jax.random.uniform(key, (5,))
    area = (AREA[0] + area * (AREA[1] - AREA[0])) * height * width
    aspect = ASPECT[0] * (ASPECT[1] / ASPECT[0]) ** aspect
    tall = jnp.minimum(jnp.sqrt(area * aspect), height)
    wide = jnp.minimum(jnp.sqrt(area / aspect), width)
    rows, columns = jnp.arange(height), jnp.arange(width)
    first_row, first_column = top * (height - tall), left * (width - wide)
    is_hit_row = (rows >= first_row) & (rows < first_row + tall)
    is_hit_column = (columns >= first_column) & (columns < first_column + wide)
    inside = jnp.outer(is_hit_row, is_hit_column) & (whether < probability)
    return jnp.where(inside[..., None], 0, image)
