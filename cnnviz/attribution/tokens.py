"""Tokens as a map: the values of a transformer's tokens, each at its place in the image."""

from math import log

import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.types import Array, Float


def token_grid(count: int, image_shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns of this many tokens, of which the first may be a class token.

    Of all grids of `count` or `count - 1` tokens, it is the one whose sides are most nearly in the ratio of the
    image's; None if none is within a factor of 2 of that, or if the image is not `[h w c]`.
    """
    if len(image_shape) != 3:
        return None
    ratio = image_shape[0] / image_shape[1]
    grids = [(h, n // h) for n in (count, count - 1) for h in range(1, n + 1) if n % h == 0]
    distance = lambda grid: abs(log(grid[0] / grid[1] / ratio))
    best = min(grids, key=distance, default=None)
    return best if best is not None and best != (1, 1) and distance(best) <= log(2) else None


def as_map(tokens: Float[Array, "t d"], image_shape: tuple[int, ...]) -> Float[Array, "h w d"]:
    """The values of the tokens at their places, without the class token's.

    Raises InputError if this number of tokens does not form a grid.
    """
    grid = token_grid(len(tokens), image_shape)
    if grid is None:
        raise InputError(
            f"{len(tokens)} tokens do not form a grid in an image of {'x'.join(map(str, image_shape[:-1]))} pixels, "
            "with or without a class token."
        )
    return tokens[len(tokens) - grid[0] * grid[1] :].reshape(*grid, -1)


def read_out(between: Float[Array, "t t"], image_shape: tuple[int, ...]) -> Float[Array, "h w"]:
    """What tokens are for the answer, from what they are for each other: for the class token, or on the mean of all."""
    grid = token_grid(len(between), image_shape)
    has_class = grid is not None and grid[0] * grid[1] < len(between)
    row = between[0] if has_class else between.mean(0)
    return as_map(jnp.expand_dims(row, -1), image_shape)[..., 0]


def as_channels(values: Array, image_shape: tuple[int, ...]) -> Float[Array, "*places c"]:
    """A layer's values by place and channel: those of tokens as `as_map` lays them out, any others unchanged."""
    return as_map(values, image_shape) if (values.ndim, len(image_shape)) == (2, 3) else values
