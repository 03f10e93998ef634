"""A layer's first principal component under a kernel."""

import jax.numpy as jnp

from cnnviz.attribution.methods.cams import CAM, Channels, Map
from cnnviz.attribution.shapes import method
from cnnviz.errors import check_known
from cnnviz.types import Array, Float

KERNELS = {
    "sigmoid": lambda rows, gamma: jnp.tanh(gamma * _inner(rows) + 1),
    "rbf": lambda rows, gamma: jnp.exp(-gamma * _squared_distances(rows)),
    "linear": lambda rows, gamma: _inner(rows),
}


@method
class KPCACAM(CAM):
    """ReLU of the activations' projection on their first component by kernel PCA; it does not depend on the score.

    `kernel` is "sigmoid", tanh(gamma x y + 1), "rbf", exp(-gamma |x - y|^2), or "linear", which is Eigen-CAM; gamma is
    1 over the number of channels by default. The greatest magnitude is positive. Karmani et al. 2024, KPCA-CAM: visual
    explainability of deep computer vision models using kernel PCA (arXiv:2410.00267).
    """

    kernel: str = "sigmoid"
    gamma: float | None = None

    whole = True

    def __post_init__(self):
        check_known("kernel of kpca_cam", self.kernel, KERNELS)

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        rows = activation.reshape(-1, activation.shape[-1])
        rows = rows - rows.mean(0, keepdims=True)
        alike = KERNELS[self.kernel](rows, self.gamma or 1 / rows.shape[1])
        alike = alike - alike.mean(0, keepdims=True)
        alike = alike - alike.mean(1, keepdims=True)
        sizes, vectors = jnp.linalg.eigh((alike + alike.T) / 2)
        along = jnp.sqrt(jnp.maximum(sizes[-1], 0)) * vectors[:, -1]
        sign = jnp.where(jnp.abs(along.min()) > along.max(), -1, 1)
        return (sign * along).reshape(activation.shape[:-1])


def _inner(rows: Float[Array, "p c"]) -> Float[Array, "p p"]:
    return jnp.einsum("pc,qc->pq", rows, rows, precision="highest")


def _squared_distances(rows: Float[Array, "p c"]) -> Float[Array, "p p"]:
    squares = jnp.square(rows).sum(1)
    return jnp.maximum(squares[:, None] + squares[None] - 2 * _inner(rows), 0)
