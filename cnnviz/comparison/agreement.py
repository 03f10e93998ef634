"""How far attribution maps agree: of two networks, seeds or steps, pair by pair, and what that is to be read by."""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from cnnviz.attribution.alike import WINDOW, sign_agreement, spearman, ssim, top_overlap
from cnnviz.batching import map_rows
from cnnviz.errors import InputError
from cnnviz.fast.jit import compiled
from cnnviz.types import Array, PyTree

SHARE = 0.1  # of a map's values, which are its top
PairsOfMaps = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Agreement:
    """How alike the maps of each of n images are, `[n]` each; NaN where a number is not defined.

    `rank` is Spearman's correlation of all values, from -1 to 1; `top` the share of the largest absolute values that
    are the largest in both maps; `sign` the share of values with one sign, of those that are not zero in both; `ssim`
    the structural similarity of maps `[h w]` of 7x7 and more, each divided by its largest absolute value. Equal maps
    have exactly 1.
    """

    rank: PairsOfMaps
    top: PairsOfMaps
    sign: PairsOfMaps
    ssim: PairsOfMaps

    def stacked(self) -> Float[np.ndarray, "4 n"]:
        """All four, one row each."""
        return np.stack([getattr(self, field.name) for field in fields(self)])


def agreement(a: Shaped[Any, "n ..."], b: Shaped[Any, "n ..."], *, share: float = SHARE) -> Agreement:
    """How far maps `[n *sides]` of the same n images agree; `share` of all values of a map are its top.

    Raises InputError for maps of different shapes and for a share that is not between 0 and 1.
    """
    one, other = (np.asarray(maps, np.float32) for maps in (a, b))
    if one.shape != other.shape or one.ndim < 2:
        raise InputError(f"Maps of the same images have one shape [n, ...]; these have {one.shape} and {other.shape}.")
    if not 0 < share <= 1:
        raise InputError(f"The top of a map is a share of its values, above 0 and at most 1; it was {share}.")
    found = map_rows(partial(_agreements, share), (one, other), 256)
    return Agreement(*np.asarray(found, np.float64).T)


def on_other_images(maps: Shaped[Any, "n ..."], *, share: float = SHARE, seed: int = 0) -> Agreement:
    """The agreement of each map with one network's map of another image, drawn by `seed`: what all maps have in common.

    Raises InputError for fewer than two maps.
    """
    values = np.asarray(maps, np.float32)
    if len(values) < 2:
        raise InputError(f"The baseline of agreement takes maps of at least two images; there are {len(values)}.")
    order = np.random.default_rng(seed).permutation(len(values))
    others = np.empty(len(values), np.int64)
    others[order] = np.roll(order, 1)
    return agreement(values, values[others], share=share)


@partial(compiled, static_argnums=0)
def _agreements(share: float, pairs: PyTree) -> Array:
    return jax.vmap(partial(_agreement, share))(*pairs)


def _agreement(share: float, a: Array, b: Array) -> Float[Array, " 4"]:
    is_known = jnp.isfinite(a).all() & jnp.isfinite(b).all()
    varies = (a.max() > a.min()) & (b.max() > b.min())
    has_windows = a.ndim == 2 and min(a.shape) >= WINDOW
    found = jnp.stack(
        [
            jnp.where(varies, spearman(a, b), jnp.nan),
            top_overlap(a, b, share),
            sign_agreement(a, b),
            jnp.where(varies, ssim(a, b), jnp.nan) if has_windows else jnp.float32(jnp.nan),
        ]
    )
    equal = (a == b).all() & ~jnp.isnan(found)
    return jnp.where(is_known, jnp.where(equal, 1.0, found), jnp.nan)
