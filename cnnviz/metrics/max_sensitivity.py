"""How much a map changes at most if the image changes a little."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.shapes import method
from cnnviz.batching import Report, map_rows, part
from cnnviz.errors import InputError
from cnnviz.fast.jit import compiled
from cnnviz.metrics.explainer import Explainer
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.shapes import check_positive
from cnnviz.types import Array, Key


@method
class MaxSensitivity(OfMethod):
    """max ||M(x + d) - M(x)|| over `samples` draws of d, each value uniform in [-radius, radius]; lower is better.

    With `relative` it is divided by ||M(x)||, as the authors' code, Captum and Quantus do, so that maps of other units
    can be compared; eq. 2 of Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations (arXiv:1901.09392),
    is without. The radius is in units of the network's input; of inputs that go from 0 to 1 the paper's is 0.2.
    """

    samples: int = 10
    radius: float = 0.2
    relative: bool = True

    better = "lower"
    needs = "nonzero"
    random = True

    def __post_init__(self):
        check_positive(samples=self.samples)
        if not self.radius > 0:
            raise InputError(f"radius is the largest change of a value, so positive; it was {self.radius}.")

    def details(self, explainer: Explainer, maps: Any, key: Key, report: Report | None = None) -> tuple[Any, Any]:
        changes = []
        for i in range(self.samples):
            nearby = explainer.with_(images=near(explainer.images, self.radius, jax.random.fold_in(key, i)))
            changes.append(length(jnp.asarray(nearby.maps(part(report, i, self.samples))) - maps))
        scale = length(jnp.asarray(maps)) if self.relative else 1.0
        changed = jnp.stack(changes, -1)
        return changed.max(-1) / scale, ()


def near(images: Any, radius: float, key: Key) -> Array:
    """The images with noise that is uniform in [-radius, radius], drawn for each from its place among them."""
    rows = jnp.asarray(images), jnp.arange(len(images))
    return map_rows(partial(_noisy, radius, key), rows, 1024)


@compiled
def _noisy(radius: Any, key: Key, rows: tuple[Array, Array]) -> Array:
    def noisy(image: Array, i: Array) -> Array:
        drawn = jax.random.uniform(jax.random.fold_in(key, i), image.shape, minval=-1.0)
        return image + (radius * drawn).astype(image.dtype)

    return jax.vmap(noisy)(*rows)


def length(maps: Array) -> Array:
    """The Euclidean norm of each map."""
    return jnp.linalg.norm(maps.reshape(len(maps), -1), axis=-1)
