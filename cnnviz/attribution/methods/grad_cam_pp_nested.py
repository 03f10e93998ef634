"""Eq. 10 of Grad-CAM++ for any network: second and third derivatives by nested forward differentiation."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers
from cnnviz.attribution.methods.grad_cam_pp_equations import Derivatives, logits_in, of_exp, weighed
from cnnviz.attribution.shapes import Raw, Sampled, method
from cnnviz.types import Array, Image, Key, PyTree, Score


@method
class NestedGradCAMPP(Sampled):
    """`grad_cam_pp` with variant "eq10" for a network that is not piecewise linear.

    A sample is one value of a layer, by which the score is differentiated three times; it costs about eight forward
    passes. `shapes` are the layers' shapes, filled in from the model. Chattopadhyay et al. 2018, eq. 10
    (arXiv:1710.11063).
    """

    layers: Layers = None
    shapes: tuple[tuple[int, ...], ...] = ()
    of: str = "exp"
    relu: bool = True

    keep = True
    maps = True

    @property
    def count(self) -> int:
        return sum(map(math.prod, self.shapes)) or self.samples

    @property
    def cost(self) -> int:
        return 8

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        def along(t: Array) -> Array:
            found, activations = score(image, self._offsets(sample, t))
            return found - jax.nn.logsumexp(logits_in(activations)) if self.of == "softmax" else found

        derivatives = nested(along)
        return derivatives if self.of == "logit" else of_exp(*derivatives)

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        activations, start, maps = score(image, {})[1], 0, {}
        for name, shape in zip(self.layers or (), self.shapes, strict=True):
            stop = start + math.prod(shape)
            first, second, third = (values[start:stop].reshape(shape) for values in total)
            maps[name] = weighed(activations[name], (first, second, third))
            start = stop
        return jax.tree.map(jax.nn.relu, maps) if self.relu else maps

    def _offsets(self, index: Array, t: Array) -> dict[str, Array]:
        """Offsets that are `t` at the value with this index among all layers' values, and zero elsewhere."""
        offsets, start = {}, 0
        for name, shape in zip(self.layers or (), self.shapes, strict=True):
            at = jnp.arange(math.prod(shape)) == index - start
            offsets[name] = jnp.where(at, t, 0).reshape(shape)
            start += math.prod(shape)
        return offsets


def nested(function: Callable[[Array], Array]) -> Derivatives:
    """The first three derivatives at zero."""
    forward = lambda f: lambda t: jax.jvp(f, (t,), (jnp.ones(()),))[1]
    first = forward(function)
    second = forward(first)
    zero = jnp.zeros(())
    return first(zero), second(zero), forward(second)(zero)
