"""Excitation backprop's rules: what a step's output receives goes to the inputs that excite it, in shares of its sign.

Zhang et al., "Top-down neural attention by excitation backprop", 2016, has layers whose inputs are not negative, and a
unit's relevance goes to the inputs with positive weights. A sum, or a product, may be negative, and the layer after it
reads that through a negative weight: so an output's relevance goes to the contributions of its own sign. No share is
negative, and they sum to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from cnnviz.graph.primitives import SUMS
from cnnviz.propagation.factors import constant_factor
from cnnviz.propagation.lrp import Number, divided, negative, positive
from cnnviz.propagation.rules import Arrays, derivative
from cnnviz.propagation.steps import Step
from cnnviz.types import Array


@dataclass(frozen=True)
class ExcitingSummands:
    """A sum's relevance goes to the summands of the sum's own sign, in proportion."""

    epsilon: Number = 1e-6
    steps: ClassVar = tuple(SUMS)

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        ones = derivative(step, tuple(map(jnp.ones_like, step.y)))
        signs = [jnp.where(slope < 0, -1, 1).astype(x.dtype) for slope, x in zip(ones, step.x, strict=True)]
        found = [jnp.zeros_like(x) for x in step.x]
        for part, chosen in ((positive, step.y[0] >= 0), (negative, step.y[0] < 0)):
            parts = tuple(part(x * sign) * sign for x, sign in zip(step.x, signs, strict=True))
            total = jax.jvp(step.function, step.x, parts)[1][0]
            backs = derivative(step, (divided(jnp.where(chosen, relevance[0], 0), total, self.epsilon),))
            found = [sum_ + p * back for sum_, p, back in zip(found, parts, backs, strict=True)]
        return found


@dataclass(frozen=True)
class ExcitingFactors:
    """A product's relevance goes to the factors of terms of the product's own sign, in equal shares for both factors.

    Attention weights and normalizers get nothing, as in LRP.
    """

    epsilon: Number = 1e-6
    steps: ClassVar = ("product",)

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        (a, b), (z,), held = step.x, step.y, constant_factor(step)
        count = 2 if held is None else 1
        found = [jnp.zeros_like(a), jnp.zeros_like(b)]
        for of_b, chosen in (((positive, negative), z >= 0), ((negative, positive), z < 0)):
            pairs = [(positive(a), of_b[0](b)), (negative(a), of_b[1](b))]
            total = sum((step.function(*pair)[0] for pair in pairs), jnp.zeros(()))
            share = divided(jnp.where(chosen, relevance[0], 0), total, self.epsilon) / count
            for pair in pairs:
                backs = jax.vjp(step.function, *pair)[1]((share,))
                found = [sum_ + x * back for sum_, x, back in zip(found, pair, backs, strict=True)]
        return [jnp.zeros_like(x) if i == held else x for i, x in enumerate(found)]
