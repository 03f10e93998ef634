"""Attribution for networks that tell two classes apart by one logit z before a sigmoid: the classes' scores are ±z."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cnnviz import probe
from cnnviz.attribution import Attribution
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.types import Array

Classes = Int[np.ndarray, " n"]


def per_class(
    ask: Callable[..., Attribution], net: Net, own: Any, *, images: Any, targets: Any, labels: Any
) -> Attribution:
    """One member's attributions of the targets; each class of a network with one logit has a score of its own."""
    if net.ending != "sigmoid" or probe.output_shape(net.model, own, net.takes) != (1,):
        return ask(own, images, targets, labels=labels)
    named = {"label": labels, "predicted": np.asarray(probe.logits(net.model, own, images))[:, 0] > 0}
    factors = _factors(targets, named, len(jax.tree.leaves(images)[0]))
    groups = [np.flatnonzero(factors == factor) for factor in np.unique(factors)]
    chosen = lambda rows: jax.tree.map(lambda array: array[rows], images)
    parts = [ask(own, chosen(rows), partial(_times, int(factors[rows[0]]))) for rows in groups]
    order = np.argsort(np.concatenate(groups))
    return jax.tree.map(lambda *values: np.concatenate(values)[order], *parts)


def _factors(targets: Any, named: Mapping[str, Any], count: int) -> Classes:
    """What z is multiplied by for each image: 1 for the second class, -1 for the first, the difference for a pair."""
    if isinstance(targets, tuple):
        this, that = (_factors(target, named, count) for target in targets)
        return this - that
    classes = np.broadcast_to(np.asarray(named[targets] if isinstance(targets, str) else targets, int), (count,))
    if (wrong := classes[(classes < 0) | (classes > 1)]).size:
        raise InputError(f"A target is a class from 0 to 1; it was {wrong[0]}.")
    return 2 * classes - 1


def _times(factor: int, logits: Array) -> Array:
    return factor * logits[0]
