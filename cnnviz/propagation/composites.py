"""COMPOSITES: which rule of LRP applies to which layer, as a list of (predicate of the step, rule).

The first entry whose predicate holds gives the rule. A new one takes five lines:

    mine = [
        (first, Flat()),
        (lambda step: step.depth < 4, Gamma(0.5)),
        (layer, Epsilon(0.25)),
    ]

An entry counts for the steps that its rule is for: a rule's `steps`, or else layers, sums and scalings. Where no entry
holds, a layer follows LRP-0, a sum (including pooling and residual sums) shares by contribution, and a scaling by
constants that could not be merged into a layer passes relevance on unchanged. What depends on the image in two ways
conserves relevance: normalizers and attention weights are constants, the factors of any other product share equally.
"""

from collections import ChainMap
from collections.abc import Callable, Sequence

from cnnviz.errors import InputError, unknown
from cnnviz.graph.primitives import LAYERS, SUMS
from cnnviz.propagation.factors import is_centering, is_normalized, normalizer
from cnnviz.propagation.lrp import AlphaBeta, Bound, Epsilon, Flat, Gamma, Number, ZBox, ZPlus, keep, keep_scaled
from cnnviz.propagation.products import Constant, Identity, SignalTakesAll, Taylor, Uniform, numerator
from cnnviz.propagation.rules import FOURIER, JOINT, RULES, Arrays, Rule, Rules, derivative
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


def scaling(step: Step) -> bool:
    """A scaling by constants that is not part of a layer."""
    return step.name == "scale"


def every(step: Step) -> bool:
    """Every step that the rule is for."""
    return True


def linear(step: Step) -> bool:
    """Any linear step: layers, sums, and scalings that are not part of a layer."""
    return layer(step) or step.name in SUMS or scaling(step)


def product(step: Step) -> bool:
    """A product of values that depend on the image, unless one of them is a normalizer."""
    return step.name == "product" and normalizer(step) is None


def normalization(step: Step) -> bool:
    """What a normalization does besides dividing: it subtracts a mean, scales and shifts."""
    return is_centering(step) or (scaling(step) and is_normalized(step))


def softmax(step: Step) -> bool:
    """A softmax."""
    return step.name == "softmax"


def epsilon_gamma_box(low: Bound = 0.0, high: Bound = 1.0, gamma: Number = 0.25, epsilon: Number = 1e-6) -> Composite:
    """Box rule for first convolutions, gamma for the others, epsilon for dense layers."""
    return ((first_convolution, ZBox(low, high)), (convolution, Gamma(gamma)), (dense, Epsilon(epsilon)))


PLUS = ((convolution, ZPlus()), (dense, Epsilon()))
ALPHA2_BETA1 = ((convolution, AlphaBeta(2, 1)), (dense, Epsilon()))
ATTENTION = ((product, Uniform()), (softmax, Taylor()), (normalization, Identity()))
LINEAR = (*LAYERS, *SUMS, "scale")  # what a rule is for that does not say it

COMPOSITES: dict[str, Composite] = {
    "zero": ((linear, Epsilon(0)),),
    "epsilon": ((linear, Epsilon()),),
    "epsilon_plus": PLUS,
    "epsilon_plus_flat": ((first, Flat()), *PLUS),
    "epsilon_alpha2_beta1": ALPHA2_BETA1,
    "epsilon_alpha2_beta1_flat": ((first, Flat()), *ALPHA2_BETA1),
    "epsilon_gamma_box": epsilon_gamma_box(),
    "attn_lrp": (*ATTENTION, (convolution, Gamma()), (dense, Epsilon())),
    "signal_takes_all": ((product, SignalTakesAll()), *PLUS),
}


def scaled(step: Step, relevance: Arrays) -> Sequence[Array]:
    """The learned bias of a normalization takes its share; another scaling passes relevance on unchanged."""
    return (Epsilon() if is_normalized(step) else keep_scaled)(step, relevance)


DEFAULTS: Rules = ChainMap(
    {
        **dict.fromkeys(LAYERS, Epsilon(0)),
        **dict.fromkeys(SUMS, Epsilon()),
        **dict.fromkeys(FOURIER, Epsilon()),
        "scale": scaled,
        "activation": keep,
        "softmax": keep,
        **dict.fromkeys(JOINT, None),
        "product": Constant(),
        "div": numerator,
        **dict.fromkeys(("select_n", "clamp"), derivative),
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
        return next(
            (rule for holds, rule in entries if step.name in getattr(rule, "steps", LINEAR) and holds(step)), None
        )

    layers = [step for step in reading.steps if layer(step)]
    if layers and not any(chosen(step) for step in reading.steps if linear(step)):
        raise InputError(
            f"No entry of the composite matches any of the score's layers, which are "
            f"{', '.join(f'{step.place} ({step.name})' for step in layers)}."
        )

    def by_composite(step: Step, relevance: Arrays) -> Sequence[Array | None]:
        rule = chosen(step) or DEFAULTS[step.name]
        assert rule is not None
        return rule(step, relevance)

    return ChainMap(dict.fromkeys([*LINEAR, "product", "softmax"], by_composite), DEFAULTS)
