"""Integrated gradients with a layer's values as the input."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.methods.integrated_gradients import IntegratedGradients
from cnnviz.attribution.shapes import Raw, method
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class LayerIntegratedGradients(IntegratedGradients):
    """(A - A') times the mean gradient on the line between: A at the image, A' at the baseline.

    The line is in the layer: an offset moves its value from A to A' + a (A - A'), while the image stays the same. Each
    layer's values sum to S(x) minus the score with the layer at A'. Options as in integrated gradients, `layers` as in
    a CAM, but dense layers too. Sundararajan et al. 2017, eq. 1 (arXiv:1703.01365).
    """

    layers: Layers = None

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, layers=choose(self.layers, places, spatial=False))

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        node, weight = sample

        def slope(name: str, span: Array) -> Array:
            at = lambda offset: score(image, {name: offset})[0]
            return weight * jax.grad(at)((node - 1) * span)

        return {name: slope(name, span) for name, span in self._spans(score, image).items()}

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return {name: span * total[name] for name, span in self._spans(score, image).items()}

    def completeness_target(self, score: Score, image: Image) -> Scalar | None:
        spans = self._spans(score, image)
        differences = [score(image, {})[0] - score(image, {name: -span})[0] for name, span in spans.items()]
        return jnp.stack(differences).sum()

    def _spans(self, score: Score, image: Image) -> dict[str, Array]:
        """A - A' of each layer."""
        here, there = (score(x, {})[1] for x in (image, jnp.broadcast_to(self.baseline, image.shape)))
        return {name: here[name] - there[name] for name in self.layers or ()}
