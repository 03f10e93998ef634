"""Layer-wise relevance propagation: a step's outputs hand their relevance back in proportion to what its inputs gave.

Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", 2015;
Montavon et al., "Layer-wise relevance propagation: an overview", 2019. With z the output, x the input, w the kernel and
b the bias, all rules are R_x = x * w^T(R_z / z) or a sum of such terms with parts of x, w and b instead. A plus sign
means the positive part, a minus sign the negative part, and every denominator is moved away from zero by `epsilon`. A
rule maps a step and the relevance of its outputs to that of its inputs, each array of the shape of its value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.propagation.rules import Arrays, derivative
from cnnviz.propagation.steps import Step
from cnnviz.types import Array

Number = float | int
Bound = Number | tuple[Number, ...]


def divided(relevance: Array, z: Array, epsilon: Number) -> Array:
    """R / (z + epsilon sign(z)), of z's shape, where the sign of zero is 1; zero where that denominator is zero.

    The sign of a complex number is z / |z|.
    """
    sign = jnp.where(z == 0, 1, jnp.sign(z)) if jnp.iscomplexobj(z) else jnp.where(z < 0, -1, 1)
    denominator = z + epsilon * sign
    return jnp.where(denominator == 0, 0, relevance / jnp.where(denominator == 0, 1, denominator))


def positive(array: Array) -> Array:
    """The array with its negative values replaced by zero."""
    return jnp.maximum(array, 0)


def negative(array: Array) -> Array:
    """The array with its positive values replaced by zero."""
    return jnp.minimum(array, 0)


def keep(step: Step, relevance: Arrays) -> Sequence[Array]:
    """Relevance passes unchanged through an elementwise step.

    Of complex relevance only the real part counts, which is what a real input gets.
    """
    return [
        r if jnp.iscomplexobj(x) == jnp.iscomplexobj(r) else r.real.astype(x.dtype)
        for r, x in zip(relevance, step.x, strict=True)
    ]


def keep_scaled(step: Step, relevance: Arrays) -> Sequence[Array]:
    """The same for a scaling, except where it multiplies by zero; one that broadcasts follows LRP-epsilon."""
    if step.x[0].shape != step.y[0].shape:
        return Epsilon()(step, relevance)
    (slope,) = derivative(step, (jnp.ones_like(step.y[0]),))
    return [jnp.where(slope == 0, 0, *keep(step, relevance))]


@dataclass(frozen=True)
class Epsilon:
    """LRP-epsilon, x * w^T(R / (z + epsilon sign z)), for any linear step; biases take a share. LRP-0 is epsilon 0."""

    epsilon: Number = 1e-6

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        shares = tuple(divided(r, z, self.epsilon) for r, z in zip(relevance, step.y, strict=True))
        return [x * back for x, back in zip(step.x, derivative(step, shares), strict=True)]


@dataclass(frozen=True)
class AlphaBeta:
    """LRP-alpha-beta: alpha times the shares of positive contributions minus beta times those of negative ones.

    Positive contributions are x+ w+, x- w- and b+, negative ones x+ w-, x- w+ and b-. Alpha - beta is 1.
    """

    alpha: Number = 2.0
    beta: Number = 1.0
    epsilon: Number = 1e-6

    def __post_init__(self):
        if self.alpha < 0 or self.beta < 0 or abs(self.alpha - self.beta - 1) > 1e-6:
            raise InputError(
                f"Alpha and beta must be at least 0, and alpha - beta is 1; they were {self.alpha} and {self.beta}."
            )

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        w = step.layer.kernel
        found = self.alpha * self._share(step, relevance[0], positive(w), negative(w), positive)
        if self.beta:
            found -= self.beta * self._share(step, relevance[0], negative(w), positive(w), negative)
        return [found]

    def _share(self, step: Step, relevance: Array, ahead: Array, behind: Array, part: Any) -> Array:
        """The shares of the contributions of one sign: x+ through `ahead` and x- through `behind`."""
        layer, (x,) = step.layer, step.x
        up, down = positive(x), negative(x)
        if step.is_nonnegative:
            z = layer.multiply(x, ahead) + part(layer.bias)
            return x * layer.back(x, ahead, divided(relevance, z, self.epsilon))
        z = layer.multiply(up, ahead) + layer.multiply(down, behind) + part(layer.bias)
        share = divided(relevance, z, self.epsilon)
        return up * layer.back(x, ahead, share) + down * layer.back(x, behind, share)


@dataclass(frozen=True)
class ZPlus:
    """LRP-z+, only the positive contributions: alpha-beta with alpha 1 and beta 0.

    Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
    """

    epsilon: Number = 1e-6

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        return AlphaBeta(1.0, 0.0, self.epsilon)(step, relevance)


@dataclass(frozen=True)
class Gamma:
    """LRP-gamma: contributions with the sign of the output weigh 1 + gamma times as much.

    For positive inputs and outputs that is x * (w + gamma w+)^T(R / (x * (w + gamma w+) + b + gamma b+)); generalized
    to any sign by Andeol et al., "Learning domain invariant representations by joint Wasserstein distance
    minimization", 2021.
    """

    gamma: Number = 0.25
    epsilon: Number = 1e-6

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        layer, (x,), (z,) = step.layer, step.x, step.y
        w, b = layer.kernel, layer.bias
        up, down = positive(x), negative(x)
        favored, other = w + self.gamma * positive(w), w + self.gamma * negative(w)
        above = layer.multiply(up, favored) + b + self.gamma * positive(b)
        below = layer.multiply(up, other) + b + self.gamma * negative(b)
        if not step.is_nonnegative:
            above += layer.multiply(down, other)
            below += layer.multiply(down, favored)
        above = jnp.where(z > 0, divided(relevance[0], above, self.epsilon), 0)
        below = jnp.where(z < 0, divided(relevance[0], below, self.epsilon), 0)
        found = up * (layer.back(x, favored, above) + layer.back(x, other, below))
        if not step.is_nonnegative:
            found += down * (layer.back(x, other, above) + layer.back(x, favored, below))
        return [found]


@dataclass(frozen=True)
class ZBox:
    """LRP-z^B for inputs between `low` and `high`: x w - low w+ - high w- instead of x w; for a first layer.

    The bounds are those of the image, numbers or one per channel `[c]`; what the layer reads of images at the bounds is
    computed from them.
    Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
    """

    low: Bound = 0.0
    high: Bound = 1.0
    epsilon: Number = 1e-6

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        layer, (x,) = step.layer, step.x
        ends = [step.inputs_at(self._filled(step, bound))[0] for bound in (self.low, self.high)]
        low, high = jnp.minimum(*ends), jnp.maximum(*ends)
        w = layer.kernel
        terms = [(x, w, 1), (low, positive(w), -1), (high, negative(w), -1)]
        z = sum((sign * layer.multiply(part, kernel) for part, kernel, sign in terms), jnp.zeros((), w.dtype))
        share = divided(relevance[0], z, self.epsilon)
        parts = (sign * part * layer.back(part, kernel, share) for part, kernel, sign in terms)
        return [sum(parts, jnp.zeros((), x.dtype))]

    @staticmethod
    def _filled(step: Step, bound: Bound) -> Array:
        image = step.reading.image
        return jnp.broadcast_to(jnp.asarray(bound, image.dtype), image.shape)


@dataclass(frozen=True)
class WSquare:
    """LRP-w^2, shares by the squared weights, independent of the input: for a first layer whose input has no bounds."""

    epsilon: Number = 1e-6

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        layer, (x,) = step.layer, step.x
        kernel = jnp.square(layer.kernel)
        z = layer.multiply(jnp.ones_like(x), kernel) + jnp.square(layer.bias)
        return [layer.back(x, kernel, divided(relevance[0], z, self.epsilon))]


@dataclass(frozen=True)
class Flat:
    """Equal shares for everything that an output reads: for a first layer.

    Lapuschkin et al., "Unmasking Clever Hans predictors and assessing what machines really learn", 2019.
    """

    epsilon: Number = 1e-6

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        layer, (x,) = step.layer, step.x
        kernel = jnp.ones_like(layer.kernel)
        share = divided(relevance[0], layer.multiply(jnp.ones_like(x), kernel), self.epsilon)
        return [layer.back(x, kernel, share)]
