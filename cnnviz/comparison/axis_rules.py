"""What each primitive does with the axes of its inputs: one function per form, by the primitive's name."""

from collections.abc import Callable
from dataclasses import replace

from cnnviz.comparison.axes import Axes, Axis, Fixed, Split, constant, distinct
from cnnviz.comparison.axis_moves import (
    Step,
    broadcast,
    concatenate,
    cut,
    pad,
    rearranged,
    reshape,
    reverse,
    transpose,
)
from cnnviz.graph.primitives import CUMULATIVE, ELEMENTWISE, IDENTITIES, ODD, REDUCTIONS, SUMS, WINDOWS


def elementwise(step: Step) -> list[Axes]:
    """The inputs' positions are those of the output; scalars have no axes."""
    own = [axes for axes in step.given if len(axes) == len(step.shape)]
    if not own or not step.shape:
        return [tuple(map(constant, value.shape)) for value in step.node.outputs]
    joined = [step.ledger.joined([axes[i] for axes in own]) for i in range(len(step.shape))]
    found = tuple(_signed(step, i, axis) for i, axis in enumerate(joined))
    return [found] * len(step.node.outputs)


def _signed(step: Step, i: int, joined: Axis) -> Axis:
    """The axis after its signs: a sum keeps them, a product has those of what depends on the images."""
    if isinstance(joined, Fixed):
        return joined
    name, ledger = step.node.name, step.ledger
    axes = [axes[i] for axes in step.given if len(axes) == len(step.shape)]
    moving = [axis for axis in axes if not isinstance(axis, Fixed)]
    if name in ("mul", "div"):
        return _multiplied(step, i, joined)
    if name in SUMS and len(step.node.inputs) > 1:
        for axis in axes:
            ledger.same_signs(joined, axis)
        if any(value.shape == () and not value.is_number(lambda number: number == 0) for value in step.node.inputs):
            ledger.even(joined)
        return joined
    if name in IDENTITIES | ODD and (name != "integer_pow" or step.params["y"] % 2):
        return joined
    for axis in moving:
        ledger.even(axis)
    return joined


def _multiplied(step: Step, i: int, joined: Axis) -> Axis:
    """The signs of a product's one factor that depends on the images, or that alone has units here."""
    factors = [axes[i] if len(axes) == len(step.shape) else constant(1) for axes in step.given]
    moving = [k for k, axis in enumerate(factors) if not isinstance(axis, Fixed)]
    images = [k for k in moving if step.node.inputs[k] in step.depends]
    signed = moving[0] if len(moving) == 1 else images[0] if len(images) == 1 else None
    if step.node.name == "div" and signed == 1:
        signed = None
    for k in moving:
        if k != signed:
            step.ledger.even(factors[k])
    return joined if signed is None or isinstance(joined, Fixed) else replace(joined, parity=_parity(factors[signed]))


def _parity(axis: Axis) -> int:
    return 0 if isinstance(axis, Fixed) else axis.parity


def reduction(step: Step) -> list[Axes]:
    """A reduction does not depend on the order of what it reduces; only a sum over other axes keeps signs."""
    (axes, *_), ledger = step.given, step.ledger
    reduced = set(step.params["axes"])
    is_place = step.node.name in ("argmax", "argmin")
    for i, axis in enumerate(axes):
        if i in reduced or step.node.name not in SUMS:
            ledger.even(axis)
        if is_place and i in reduced:
            ledger.fix(axis)
    kept = [i for i in range(len(axes)) if i not in reduced]
    return [rearranged(ledger, axes, kept)] * len(step.node.outputs)


def window(step: Step) -> list[Axes]:
    """A reduction over windows: an axis that they do not run over stays, and only a sum keeps its signs."""
    found, params = [], step.params
    for i, axis in enumerate(step.given[0]):
        if params["window_dimensions"][i] == 1 and step.node.inputs[0].shape[i] == step.shape[i]:
            if step.node.name not in SUMS:
                step.ledger.even(axis)
            found.append(axis)
        else:
            step.ledger.fix(axis)
            found.append(distinct(step.shape[i]))
    return [tuple(found)]


def along_one(step: Step) -> list[Axes]:
    """A function along one axis, whose order counts: of `cumsum`, `sort` and their kin."""
    at = step.params.get("axis", step.params.get("dimension", len(step.given[0]) - 1))
    found = []
    for i, axis in enumerate(step.given[0]):
        if step.node.name not in SUMS:
            step.ledger.even(axis)
        found.append(step.ledger.fix(axis) if i == at or len(step.given) > 1 else axis)
    for axes in step.given[1:]:
        for axis in axes:
            step.ledger.fix(axis)
    return [tuple(found)] * len(step.node.outputs)


def dense(step: Step) -> list[Axes]:
    """A product over contracted axes, for each position of the batch axes."""
    (left, right), ledger = step.given, step.ledger
    (over, others), (batch, other_batch) = step.params["dimension_numbers"]
    for i, k in zip(over, others, strict=True):
        ledger.contracted(left[i], right[k])
    shared = [ledger.joined([left[i], right[k]]) for i, k in zip(batch, other_batch, strict=True)]
    for i, k in zip(batch, other_batch, strict=True):
        ledger.even(left[i])
        ledger.even(right[k])
    free = lambda axes, taken: [axis for i, axis in enumerate(axes) if i not in taken]
    found = [*shared, *free(left, {*over, *batch}), *free(right, {*others, *other_batch})]
    return [tuple(ledger.fix(axis) if isinstance(axis, Split) else axis for axis in found)]


RULES: dict[str, Callable[[Step], list[Axes]]] = {
    **dict.fromkeys(ELEMENTWISE | IDENTITIES, elementwise),
    **dict.fromkeys(REDUCTIONS, reduction),
    **dict.fromkeys(WINDOWS, window),
    **dict.fromkeys(CUMULATIVE | {"sort", "top_k"}, along_one),
    "transpose": transpose,
    "reshape": reshape,
    "squeeze": reshape,
    "broadcast_in_dim": broadcast,
    "concatenate": concatenate,
    "slice": cut,
    "split": cut,
    "dynamic_slice": cut,
    "rev": reverse,
    "pad": pad,
    "dot_general": dense,
}
