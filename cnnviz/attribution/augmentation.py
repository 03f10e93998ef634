"""Test-time augmentation: the mean of any method's maps over mirrored and brighter or darker copies of the images."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.explain import attribute
from cnnviz.attribution.explained import ask
from cnnviz.attribution.shapes import Method
from cnnviz.attribution.targets import Targets
from cnnviz.batching import Report, part
from cnnviz.errors import InputError
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.outputs import OutputName
from cnnviz.types import Array, Key, VariablesLike


def augmented(
    method: str | type[Method] | Method,
    model: Any,
    variables: VariablesLike,
    images: Any,
    targets: Targets,
    *,
    mirrored: bool = True,
    factors: Sequence[float] = (0.9, 1.0, 1.1),
    key: Key | None = None,
    labels: Any = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
    **options: Any,
) -> Array:
    """The mean of the maps that `attribute` gives for copies of the images, each brought back to where the image is.

    Copies are the images times each of the `factors`, and with `mirrored` the same from left to right. The six copies
    are those of pytorch-grad-cam's `aug_smooth`. "predicted" is the class that is predicted for the image itself, for
    all its copies. Other arguments are those of `attribute`; a method that draws at random draws anew for every copy.
    """
    if isinstance(images, dict | list | tuple) or images.ndim < 3:
        raise InputError("Augmentation is of pictures, signals or volumes, one array of them.")
    if not factors:
        raise InputError("Augmentation needs at least one factor; there was none.")
    numbers = ask(model, variables, images, targets, labels, call, output).numbers
    chosen = targets if callable(targets) or not jax.tree.leaves(numbers) else numbers
    copies = [(factor, side) for factor in factors for side in ((False, True) if mirrored else (False,))]
    width, total = images.ndim - 2, jnp.zeros(())
    turned = lambda values, side: jnp.flip(values, width) if side else values
    for i, (factor, side) in enumerate(copies):
        seen = turned(jnp.asarray(images) * factor, side)
        own = None if key is None else jax.random.fold_in(key, i)
        given = {"key": own, "call": call, "output": output, "report": part(report, i, len(copies)), **options}
        total = total + turned(attribute(method, model, variables, seen, chosen, **given), side)
    return total / len(copies)
