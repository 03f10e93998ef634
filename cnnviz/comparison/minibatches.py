"""CKA of many layers over minibatches, whose memory does not depend on the number of images.

Every network sees the same minibatch by construction (`probe.fold_readers`), in which each layer's kernel matrix is
centered; the inner products of all pairs, HSIC up to a factor, are averaged over minibatches, and their ratios are CKA.
The unbiased estimate of HSIC has the same mean for any size of minibatch, so debiased CKA of minibatches approaches
that of all images at once; the biased estimate depends on the size. Nguyen et al., arXiv:2010.15327, Eq. 2 and 3.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from cnnviz.batching import Report
from cnnviz.comparison.measures.measure import LEAST
from cnnviz.errors import InputError
from cnnviz.probe import Reader, fold_readers
from cnnviz.types import Array, Key, PyTree

MINIBATCH = 128, 512  # images, on CPU and elsewhere
ESTIMATES = "linear_cka", "debiased_cka"
Matrix = Float[np.ndarray, "t t"]


class Alignments(NamedTuple):
    """CKA of all pairs of layers, of all networks; `names` are (network, layer), `null` is that of shuffled images.

    `constant` are the names of layers that are the same for all images: their rows and columns are NaN. `minibatch` is
    how many images one had.
    """

    names: list[tuple[str, str]]
    cka: dict[str, Matrix]
    null: dict[str, Matrix]
    constant: list[tuple[str, str]]
    minibatch: int

    def of(self, measure: str, rows: str, columns: str, *, null: bool = False) -> Float[np.ndarray, "a b"]:
        """The part of the matrix whose rows are one network's layers, and whose columns are another's."""
        place = lambda network: [i for i, (name, _) in enumerate(self.names) if name == network]
        return (self.null if null else self.cka)[measure][np.ix_(place(rows), place(columns))]


def alignments(
    readers: Mapping[str, Reader],
    images: PyTree,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    report: Report | None = None,
) -> Alignments:
    """Linear and debiased CKA of every layer of these networks with every layer, in one pass over the images.

    Minibatches are of at most `batch_size` images and about equal; the images of one are also shuffled among
    themselves by `key`, for what the numbers would be by chance. Raises InputError for fewer than four images.
    """
    count = jax.tree.leaves(images)[0].shape[0]
    if count < LEAST:
        raise InputError(f"CKA needs at least {LEAST} images; there are {count}.")
    size = minibatch_size(count, min(reader.batch_size(images, batch_size, MINIBATCH) for reader in readers.values()))
    names = [(name, layer) for name in sorted(readers) for layer in readers[name].request(images)[0].names]
    state = _beginning(len(names), jax.random.key(0) if key is None else key)
    found = fold_readers(dict(readers), images, state, _update, batch_size=size, report=report)
    sums = {name: np.asarray(found[name], np.float64) for name in ("real", "chance")}
    constant = [name for name, scale in zip(names, found["scale"], strict=True) if scale == 0]
    real = {name: _ratios(sums["real"][i], sums["real"][i]) for i, name in enumerate(ESTIMATES)}
    chance = {name: _ratios(sums["chance"][i], sums["real"][i]) for i, name in enumerate(ESTIMATES)}
    return Alignments(names, real, chance, constant, size)


def minibatch_size(count: int, most: int) -> int:
    """The size of minibatches, at most `most` images but at least four, such that the last is about as large."""
    if most < LEAST:
        raise InputError(f"A minibatch needs at least {LEAST} images for CKA; it had {most}.")
    return -(-count // -(-count // most))


def _ratios(products: Matrix, own: Matrix) -> Matrix:
    """Products over the norms of both; NaN for what has none."""
    norms = np.sqrt(np.maximum(np.diagonal(own), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.outer(norms, norms) > 0, products / np.outer(norms, norms), np.nan)


def _beginning(layers: int, key: Key) -> dict[str, Any]:
    square = jnp.zeros((len(ESTIMATES), layers, layers))
    return {"real": square, "chance": square, "scale": jnp.zeros(layers), "key": key}


def _update(state: dict[str, Any], activations: Any, mask: Bool[Array, " n"]) -> dict[str, Any]:
    """The sums after one more minibatch; a rest of fewer than four images adds nothing."""
    key, draw = jax.random.split(state["key"])
    layers = [values for name in sorted(activations) for values in activations[name].values()]
    kernels = jnp.stack([_kernel(values) for values in layers])
    norms = jnp.sqrt(jnp.square(kernels).sum((1, 2)))
    scale = jnp.where(state["scale"] > 0, state["scale"], norms)  # of a layer's first minibatch: sums stay about 1
    kernels = kernels / jnp.where(scale > 0, scale, 1)[:, None, None]
    order = jnp.argsort(jnp.where(mask, jax.random.uniform(draw, mask.shape), 2.0))  # padding stays at the end
    count = mask.sum().astype(jnp.float32)
    weights = jnp.where(count >= LEAST, count / jnp.stack([(count - 1) ** 2, count * (count - 3)]), 0)
    flat = jnp.stack([_doubly_centered(kernels, mask), _u_centered(kernels, mask)])
    shuffled = flat[:, :, order][:, :, :, order]
    add = lambda to, other: to + weights[:, None, None] * jnp.einsum("etij,esij->ets", flat, other, precision="highest")
    return {"real": add(state["real"], flat), "chance": add(state["chance"], shuffled), "scale": scale, "key": key}


def _kernel(values: Float[Array, "n *rest"]) -> Float[Array, "n n"]:
    """The inner products of images' values minus those of the first image: zero for a layer that is constant.

    Centering takes away what depends on that image; without it, large means would leave few digits for the rest.
    """
    x = values.reshape(len(values), -1).astype(jnp.float32)
    x = x - x[:1]
    return jnp.matmul(x, x.T, precision="highest")


def _doubly_centered(kernels: Float[Array, "t n n"], mask: Bool[Array, " n"]) -> Float[Array, "t n n"]:
    """As `hsic.doubly_centered`, with padding."""
    count, valid = mask.sum(), mask[:, None] & mask[None, :]
    kernels = jnp.where(valid[None], kernels, 0)
    rows = kernels.sum(2) / count
    whole = kernels - rows[:, :, None] - rows[:, None, :] + (rows.sum(1) / count)[:, None, None]
    return jnp.where(valid[None], whole, 0)


def _u_centered(kernels: Float[Array, "t n n"], mask: Bool[Array, " n"]) -> Float[Array, "t n n"]:
    """As `hsic.u_centered`, with padding."""
    count, n = mask.sum(), len(mask)
    apart = mask[:, None] & mask[None, :] & ~jnp.eye(n, dtype=bool)
    off = jnp.where(apart[None], kernels, 0)
    rows = off.sum(2) / (count - 2)
    whole = off - rows[:, :, None] - rows[:, None, :] + (rows.sum(1) / (count - 1))[:, None, None]
    return jnp.where(apart[None], whole, 0)
