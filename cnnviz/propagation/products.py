"""LRP's rules for operations that are not linear in the image: products of values, normalization, gates and attention.

Arras et al., "Explaining recurrent neural network predictions in sentiment analysis", 2017 (gates); Ali et al., "XAI
for Transformers: better explanations through conservative propagation", 2022 (normalizers and attention weights are
constants); Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", 2024
(products are shared, softmax is expanded at its input, normalization is passed through). All but the expansion of
softmax conserve relevance. `steps` are the names of the steps that a rule is for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from cnnviz.propagation.factors import constant_factor, gate
from cnnviz.propagation.lrp import Number, divided
from cnnviz.propagation.rules import Arrays, derivative
from cnnviz.propagation.steps import Step
from cnnviz.types import Array

Held = Callable[[Step], int | None]  # the position of the factor that gets no relevance


def share_product(step: Step, relevance: Arrays, held: int | None, epsilon: Number) -> list[Array]:
    """Each factor's relevance by LRP-epsilon with the others constant: nothing if `held`, or else equal shares."""
    (z,) = step.y
    count = len(step.inputs) if held is None else len(step.inputs) - 1
    backs = derivative(step, (divided(relevance[0], z, epsilon) / count,))
    return [jnp.zeros_like(x) if i == held else x * b for i, (x, b) in enumerate(zip(step.x, backs, strict=True))]


@dataclass(frozen=True)
class Uniform:
    """Factors share equally: x_i (dz/dx_i)^T(R / 2z). Achtibat et al. 2024, proposition 3.3."""

    epsilon: Number = 1e-6
    steps: ClassVar = ("product",)

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        return share_product(step, relevance, None, self.epsilon)


@dataclass(frozen=True)
class Constant:
    """Attention weights and normalizers are constants and get nothing; other factors share equally.

    Ali et al. 2022, sections 3.1 and 3.2.
    """

    epsilon: Number = 1e-6
    steps: ClassVar = ("product",)

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        return share_product(step, relevance, constant_factor(step), self.epsilon)


@dataclass(frozen=True)
class SignalTakesAll:
    """As `Constant`, and a gate (sigmoid, tanh) gets nothing too. Arras et al. 2017, section 3.2."""

    epsilon: Number = 1e-6
    steps: ClassVar = ("product",)

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        return share_product(step, relevance, gate(step), self.epsilon)


@dataclass(frozen=True)
class Taylor:
    """x_i (R_i - s_i sum_j R_j) for a softmax s(x). Achtibat et al. 2024, proposition 3.1.

    Inputs that a mask makes infinite get nothing.
    """

    steps: ClassVar = ("softmax",)

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array]:
        (back,) = derivative(step, (divided(relevance[0], step.y[0], 0),))
        return [jnp.where(jnp.isfinite(step.x[0]), step.x[0], 0) * back]


@dataclass(frozen=True)
class Identity:
    """The first input gets everything: a normalization passes it through. Achtibat et al. 2024, proposition 3.4."""

    steps: ClassVar = ("sub", "scale")

    def __call__(self, step: Step, relevance: Arrays) -> Sequence[Array | None]:
        return [relevance[0], *[None] * (len(step.inputs) - 1)]


def numerator(step: Step, relevance: Arrays) -> Sequence[Array | None]:
    """The numerator of a quotient gets everything: the denominator is a normalizer. Ali et al. 2022, section 3.2."""
    return [relevance[0], None]
