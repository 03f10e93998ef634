"""Random augmentation of training images: shifts, crops, flips and erased rectangles.

Pixels shifted in from outside the image, and erased ones, are 0 (black).
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Int, Shaped, UInt8

from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import size
from cnnviz.types import Array, Key

AREA = (0.02, 0.33)  # share of the image that is erased
ASPECT = (0.3, 1 / 0.3)  # height / width of the erased rectangle
CROPPED = (3 / 4, 4 / 3)  # height / width of a crop, in units of the image's sides
FURTHER = 1  # folded into an image's key for what came later than shift, flip and erase, whose draws stay
PICTURES_ONLY = {"flip": False, "erase": 0.0, "flip_vertical": False, "crop": 1.0}  # and the value that does nothing
Pixels = UInt8[Array, "h w c"]


def check_augmented(recipe: Any, image_shape: Sequence[int]) -> None:
    """Raises InputError if a recipe shifts images by a complete side, or changes others as only pictures can be."""
    if recipe.shift >= (shortest := min(image_shape[:-1])):
        sides = size(image_shape)
        raise OptionError(
            f"shift must be less than {shortest}, the shortest side of images of {sides}; it was {recipe.shift}."
        )
    if len(image_shape) == len(("h", "w", "c")):
        return
    for name, nothing in PICTURES_ONLY.items():
        if (value := getattr(recipe, name)) != nothing:
            sides = size(image_shape)
            raise InputError(f"{name} is for pictures (it was {value}); images of {sides} can only be shifted.")


def augment(
    images: Shaped[Array, "n *sides c"],
    key: Key,
    *,
    shift: int = 0,
    flip: bool = False,
    erase: float = 0.0,
    flip_vertical: bool = False,
    crop: float = 1.0,
) -> Array:
    """The images, each cropped, shifted by up to `shift` pixels, flipped, and erased in part, at random.

    All sides are shifted, that of a signal in time; the others are for pictures `[n h w c]`. An image is flipped left
    to right with probability 1/2 if `flip`, upside down if `flip_vertical`, and loses a rectangle with probability
    `erase`. A `crop` below 1 is the smallest share of an image's area that is kept.
    """

    def one(image: Array, key: Key) -> Array:
        shift_key, flip_key, erase_key = jax.random.split(key, 3)
        crop_key, vertical_key = jax.random.split(jax.random.fold_in(key, FURTHER))
        if crop < 1:
            image = cropped(image, crop_key, crop)
        if shift:
            image = shifted(image, jax.random.randint(shift_key, (image.ndim - 1,), -shift, shift + 1), shift)
        if flip:
            image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
        if flip_vertical:
            image = jnp.where(jax.random.bernoulli(vertical_key), image[::-1], image)
        return erased(image, erase_key, erase) if erase else image

    return jax.vmap(one)(images, jax.random.split(key, len(images)))


def cropped(image: Pixels, key: Key, least: float) -> Pixels:
    """A random part of the image, of at least the share `least` of its area, resized bilinearly to the image's size.

    Szegedy et al., "Going Deeper with Convolutions", 2015, section 6: the share of the area is uniform, and the ratio
    of the sides, in units of the image's own, log-uniform from 3/4 to 4/3. A side is at most the image's.
    """
    height, width, _ = image.shape
    area, aspect, top, left = jax.random.uniform(key, (4,))
    area, aspect = least + area * (1 - least), CROPPED[0] * (CROPPED[1] / CROPPED[0]) ** aspect
    tall, wide = jnp.minimum(jnp.sqrt(area * aspect), 1), jnp.minimum(jnp.sqrt(area / aspect), 1)
    scale = jnp.stack([1 / tall, 1 / wide])
    start = jnp.stack([top * (1 - tall) * height, left * (1 - wide) * width])
    resized = jax.image.scale_and_translate(
        image.astype(jnp.float32), image.shape, (0, 1), scale, -start * scale, "linear", antialias=False
    )
    return jnp.clip(jnp.round(resized), 0, 255).astype(image.dtype)


def shifted(image: UInt8[Array, "*sides c"], by: Int[Array, " s"], most: int) -> UInt8[Array, "*sides c"]:
    """The image moved along each side (down and right) by the pixels in `by`, each of magnitude at most `most`."""
    padded = jnp.pad(image, [(most, most)] * (image.ndim - 1) + [(0, 0)])
    return jax.lax.dynamic_slice(padded, (*(most - by), 0), image.shape)


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
