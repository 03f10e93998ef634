"""A layer's first principal component."""

import jax.numpy as jnp

from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.shapes import method
from cnnviz.types import Array, Float


def principal(values: Channels) -> Map:
    """The values at each place along the direction in which they vary most; the greatest magnitude is positive.

    The sign of a singular vector is arbitrary; this choice is eq. 13 of Chung & Ying 2025, Seg-Eigen-CAM (Applied
    Sciences 15, 7562).
    """
    rows = values.reshape(-1, values.shape[-1])
    rows = rows - rows.mean(0, keepdims=True)
    along = _along_first(rows)
    sign = jnp.where(jnp.abs(along.min()) > along.max(), -1, 1)
    return (sign * along).reshape(values.shape[:-1])


def _along_first(rows: Float[Array, "p c"]) -> Float[Array, " p"]:
    """The rows along their first right singular vector, from the smaller of the two Gram matrices.

    XLA's singular value decomposition takes about a hundred times as long on CPU and gives the same digits.
    """
    if rows.shape[0] < rows.shape[1]:
        squares, vectors = jnp.linalg.eigh(jnp.einsum("pc,qc->pq", rows, rows, precision="highest"))
        return jnp.sqrt(jnp.maximum(squares[-1], 0)) * vectors[:, -1]
    direction = jnp.linalg.eigh(jnp.einsum("pc,pd->cd", rows, rows, precision="highest"))[1][:, -1]
    return jnp.einsum("pc,c->p", rows, direction, precision="highest")


@method
class EigenCAM(CAM):
    """ReLU of the activations' projection on their first principal component; it does not depend on the score.

    Muhammad & Yeasin 2020, Eigen-CAM: class activation map using principal components (arXiv:2008.00299).
    """

    whole = True

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        return principal(activation)
