"""Noisy linear imputation: removed pixels become a weighted mean of their neighbours, with a little noise."""

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import cg
from jaxtyping import Bool

from cnnviz.types import Array, Float, Image, Key

DIRECT, DIAGONAL = 1 / 6, 1 / 12  # the weights of ROAD's authors, for the four neighbours and the four at the corners
TOLERANCE, MOST_STEPS = 1e-5, 500


def imputed(image: Image, mask: Bool[Array, "h w"], noise: float, key: Key) -> Image:
    """The image `[h w c]` with the pixels in the mask replaced by the solution of a linear system, plus noise.

    Each of them is the mean of its neighbours within the image, with weights 1/6 beside, above and below and 1/12 at
    the corners: a symmetric, positive definite system if one pixel is known, solved by conjugate gradients. The noise
    is Gaussian with a standard deviation of `noise`. Rong et al. 2022, section 4.2 (arXiv:2202.00449).
    """
    unknown = mask[..., None].astype(image.dtype)
    total = neighbours(jnp.ones_like(unknown))
    known = neighbours(image * (1 - unknown)) * unknown
    system = lambda x: jnp.where(unknown > 0, total * x - neighbours(x * unknown), x)
    start = jnp.where(unknown > 0, known / total, 0)
    found, _ = cg(system, known, x0=start, tol=TOLERANCE, maxiter=MOST_STEPS)
    drawn = jax.random.normal(key, image.shape, image.dtype) * noise
    return jnp.where(unknown > 0, found + drawn, image)


def neighbours(x: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """The weighted sum of each pixel's eight neighbours; those beyond the edges are 0."""
    h, w, _ = x.shape
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    shifted = lambda i, j: padded[1 + i : 1 + i + h, 1 + j : 1 + j + w]
    beside = shifted(0, 1) + shifted(0, -1) + shifted(1, 0) + shifted(-1, 0)
    corners = shifted(1, 1) + shifted(1, -1) + shifted(-1, 1) + shifted(-1, -1)
    return DIRECT * beside + DIAGONAL * corners
