"""Noisy linear imputation: removed pixels become a weighted mean of their neighbours, with a little noise."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Bool

from cnnviz.types import Array, Float, Image, Key, PyTree

DIRECT, DIAGONAL = 1 / 6, 1 / 12  # the weights of ROAD's authors, for the four neighbours and the four at the corners
TOLERANCE, MOST_STEPS = 1e-5, 500


def imputed(image: Image, mask: Bool[Array, "h w"], noise: float, key: Key) -> Image:
    """The image `[h w c]` with the pixels in the mask replaced by the solution of a linear system, plus noise.

    Each of them is the mean of its neighbours within the image, with weights 1/6 beside, above and below and 1/12 at
    the corners: a symmetric, positive definite system if one pixel is known, solved by conjugate gradients. The noise
    is Gaussian with a standard deviation of `noise`. Rong et al. 2022, section 4.2 (arXiv:2202.00449).
    """
    unknown = jnp.broadcast_to(mask[..., None], image.shape).astype(image.dtype)
    drawn = jax.random.normal(key, image.shape, image.dtype) * noise
    return jnp.where(unknown > 0, _solved(image, unknown) + drawn, image)


@custom_vmap
def _solved(image: Float[Array, "h w n"], unknown: Float[Array, "h w n"]) -> Float[Array, "h w n"]:
    """The solution of n systems, 0 where `unknown` is 0; each of them stops when its own residual is small."""
    total = neighbours(jnp.ones_like(unknown))
    known = neighbours(image * (1 - unknown)) * unknown
    enough = TOLERANCE**2 * _squares(known)

    def go_on(state: PyTree) -> Array:
        step, *_, squares = state
        return (step < MOST_STEPS) & (squares > enough).any()

    def advance(state: PyTree) -> PyTree:
        step, found, residual, direction, squares = state
        image_of = unknown * (total * direction - neighbours(direction))
        length = jnp.where(squares > enough, squares / _nonzero(_summed(direction * image_of)), 0)
        found, residual = found + length * direction, residual - length * image_of
        now = _squares(residual)
        direction = residual + now / _nonzero(squares) * direction
        return step + 1, found, residual, direction, now

    start = known / total
    residual = known - unknown * (total * start - neighbours(start))
    return jax.lax.while_loop(go_on, advance, (0, start, residual, residual, _squares(residual)))[1]


@_solved.def_vmap
def _solved_together(size: int, are_batched: Any, image: Array, unknown: Array) -> tuple[Array, bool]:
    """Images of a batch as more systems on the last axis, where sums over neighbours are several times as fast."""
    every = [
        jnp.moveaxis(value, 0, 2)
        if batched
        else jnp.broadcast_to(value[:, :, None], (*value.shape[:2], size, value.shape[2]))
        for value, batched in zip((image, unknown), are_batched, strict=True)
    ]
    merged = [value.reshape(*value.shape[:2], -1) for value in every]
    return jnp.moveaxis(_solved(*merged).reshape(every[0].shape), 2, 0), True


def neighbours(x: Float[Array, "h w n"]) -> Float[Array, "h w n"]:
    """The weighted sum of each pixel's eight neighbours; those beyond the edges are 0."""
    tall = jnp.pad(x, ((1, 1), (0, 0), (0, 0)))
    vertical = tall[2:] + tall[:-2]
    wide = jnp.pad(DIRECT * x + DIAGONAL * vertical, ((0, 0), (1, 1), (0, 0)))
    return wide[:, 2:] + wide[:, :-2] + DIRECT * vertical


def _squares(x: Float[Array, "h w n"]) -> Float[Array, "1 1 n"]:
    return _summed(jnp.square(x))


def _summed(x: Float[Array, "h w n"]) -> Float[Array, "1 1 n"]:
    return x.sum((0, 1), keepdims=True)


def _nonzero(x: Array) -> Array:
    return jnp.where(x > 0, x, 1)
