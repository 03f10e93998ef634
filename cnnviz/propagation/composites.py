"""COMPOSITES: which rule of LRP applies to which layer, as a list of (predicate of the step, rule).

The first entry whose predicate holds gives the rule. A new one takes five lines:

    mine = [
        (first, Flat()),
        (lambda step: step.depth < 4, Gamma(0.5)),
        (layer, Epsilon(0.25)),
    ]

Where no entry holds, a layer follows LRP-0, a sum (including pooling and residual sums) shares by contribution, and a
scaling by constants that could not be merged into a layer passes relevance on unchanged.
"""

from collections import ChainMap
from collections.abc import Callable, Sequence

from cnnviz.errors import InputError, unknown
from cnnviz.graph.primitives import LAYERS, SUMS
from cnnviz.propagation.lrp import AlphaBeta, Bound, Epsilon, Flat, Gamma, Number, ZBox, ZPlus, keep, keep_scaled
from cnnviz.propagation.rules import JOINT, RULES, Arrays, Rule, Rules
from cnnviz.propagation.steps import Reading, Step
from cnnviz.types import Array

Composite = Sequence[tuple[Callable[[Step], bool], Rule]]


def convolution(step: Step) -> bool:
    """Any convolution."""
    return step.name == "conv_general_dilated"


def dense(step: Step) -> bool:
    """Any dense layer."""
    return step.name == "dot_general"


def layer(step: Step) -> bool:
    """Any convolution or dense layer."""
    return step.name in LAYERS


def first(step: Step) -> bool:
    """A layer that the image reaches through no other layer."""
    return layer(step) and step.depth == 0


def first_convolution(step: Step) -> bool:
    """A convolution that the image reaches through no other layer."""
    return first(step) and convolution(step)


def linear(step: Step) -> bool:
    """Any linear step: layers, sums, and scalings that are not part of a layer."""
    return layer(step) or step.name in SUMS or step.name == "scale"


def epsilon_gamma_box(low: Bound = 0.0, high: Bound = 1.0, gamma: Number = 0.25, epsilon: Number = 1e-6) -> Composite:
    """Box rule for first convolutions, gamma for the others, epsilon for dense layers."""
    return ((first_convolution, ZBox(low, high)), (convolution, Gamma(gamma)), (dense, Epsilon(epsilon)))


PLUS = ((convolution, ZPlus()), (dense, Epsilon()))
ALPHA2_BETA1 = ((convolution, AlphaBeta(2, 1)), (dense, Epsilon()))

COMPOSITES: dict[str, Composite] = {
    "zero": ((linear, Epsilon(0)),),
    "epsilon": ((linear, Epsilon()),),
    "epsilon_plus": PLUS,
    "epsilon_plus_flat": ((first, Flat()), *PLUS),
    "epsilon_alpha2_beta1": ALPHA2_BETA1,
    "epsilon_alpha2_beta1_flat": ((first, Flat()), *ALPHA2_BETA1),
    "epsilon_gamma_box": epsilon_gamma_box(),
}

DEFAULTS: Rules = ChainMap(
    {
        **dict.fromkeys(LAYERS, Epsilon(0)),
        **dict.fromkeys(SUMS, Epsilon()),
        "scale": keep_scaled,
        "activation": keep,
        **dict.fromkeys(JOINT, None),
    },
    RULES,
)


def _named(name: str) -> Composite:
    if name not in COMPOSITES:
        raise unknown("composite", name, COMPOSITES)
    return COMPOSITES[name]


def rules_of(composite: str | Composite, reading: Reading) -> Rules:
    """The table of rules of a composite, which is a name in COMPOSITES or a list.

    Raises InputError if the name is unknown, or if no entry holds for any linear step of the reading.
    """
    entries = _named(composite) if isinstance(composite, str) else composite

    def chosen(step: Step) -> Rule | None:
        return next((rule for holds, rule in entries if holds(step)), None)

    layers = [step for step in reading.steps if layer(step)]
    if layers and not any(chosen(step) for step in reading.steps if linear(step)):
        raise InputError(
            f"No entry of the composite holds for any of the score's layers, which are "
            f"{', '.join(f'{step.place} ({step.name})' for step in layers)}."
        )

    def by_composite(step: Step, relevance: Arrays) -> Sequence[Array | None]:
        rule = chosen(step) or DEFAULTS[step.name]
        assert rule is not None
        return rule(step, relevance)

    return ChainMap(dict.fromkeys([*LAYERS, *SUMS, "scale"], by_composite), DEFAULTS)
