"""How well classes can be told by a linear function of each layer: a linear probe per layer, with held-out accuracy.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016 (arXiv:1610.01644).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from cnnviz import probe
from cnnviz.batching import Report, part
from cnnviz.errors import InputError
from cnnviz.fast.jit import compiled
from cnnviz.networks.measures import interval
from cnnviz.probe import NOTHING, Call, Reader, first_row
from cnnviz.probe.inputs import Prepare
from cnnviz.types import Activations, Array, LayerNames, PyTree, VariablesLike
from cnnviz.units.features import features

MOST_FEATURES, FIRST = 1024, 512  # features of a probe, and images whose moments scale them
EVERY = 5  # one image of so many is held out


@dataclass(frozen=True)
class LinearProbe:
    """How many of `count` held-out images a linear function of one layer puts in the right class."""

    layer: str
    features: int
    shape: tuple[int, ...]
    right: int
    count: int

    @property
    def accuracy(self) -> float:
        """The share of held-out images in the right class."""
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy."""
        return interval(self.right, self.count)


def linear_probes(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    labels: Int[np.ndarray, " n"],
    layers: LayerNames = None,
    *,
    held_out: tuple[PyTree, Int[np.ndarray, " m"]] | None = None,
    most: int = MOST_FEATURES,
    ridge: float = 1e-2,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> list[LinearProbe]:
    """A linear probe for each layer, in order of execution: ridge regression on one-hot labels, in closed form.

    `images` `[n ...]` and `labels` `[n]` are what probes are fitted to, `held_out` what they are measured on; without
    it, every fifth image is held out. Maps with more values than `most` are averaged over a coarser grid, and what has
    more channels than that is projected at random. Features have mean 0 and deviation 1, and `ridge` times the number
    of images is added to the diagonal of their Gram matrix, which is accumulated in one pass over the images for all
    layers. Raises InputError if the labels do not fit, or if there are not at least two classes.
    """
    labels = np.asarray(labels)
    if held_out is None:
        images, labels, held_out = _parted(images, labels)
    others, truth = held_out[0], np.asarray(held_out[1])
    for given, own in ((images, labels), (others, truth)):
        _check(given, own)
    classes = int(max(labels.max(), truth.max())) + 1
    if len(np.unique(labels)) < 2:
        raise InputError("A linear probe tells classes apart; the labels have only one.")
    named: Any = {"prepare": prepare, "call": call, "batch_size": batch_size}
    names = _names(model, variables, images, layers, prepare, call)
    fitting = Fitting(model, variables, names, most, ridge, classes, named)
    return fitting.probes(images, labels, others, truth, report)


@dataclass(frozen=True)
class Fitting:
    """What is fitted: the layers of a network, and how."""

    model: Any
    variables: Any
    names: tuple[str, ...]
    most: int
    ridge: float
    classes: int
    named: Mapping[str, Any]

    def probes(
        self, images: PyTree, labels: np.ndarray, others: PyTree, truth: np.ndarray, report: Report | None
    ) -> list[LinearProbe]:
        """The probes, fitted to the images and measured on the others."""
        model, variables, names, most = self.model, self.variables, self.names, self.most
        classes, ridge, named = self.classes, self.ridge, dict(self.named)
        few = jax.tree.map(lambda leaf: leaf[:FIRST], images)
        first = probe.activations(model, variables, few, list(names), **named)
        scales = {name: _moments(features(value, most)) for name, value in first.items()}
        read, both = Probing(most, classes), (model, variables)
        init = {name: _zero(len(mean), classes) for name, (mean, _) in scales.items()}
        state, named["rows"] = {"scales": scales, "sums": init}, (labels.astype(np.int32),)
        state = probe.fold(*both, images, list(names), state, read.add, **named, report=part(report, 0, 2))
        weights = {name: _solve(*state["sums"][name], ridge) for name in scales}
        _check_finite(names, weights)
        state = {"scales": scales, "weights": weights, "right": dict.fromkeys(scales, jnp.int32(0))}
        named["rows"] = (truth.astype(np.int32),)
        state = probe.fold(*both, others, list(names), state, read.judge, **named, report=part(report, 1, 2))
        shape = lambda name: tuple(first[name].shape[1:])
        return [
            LinearProbe(name, len(scales[name][0]), shape(name), int(state["right"][name]), len(truth))
            for name in names
        ]


def _check_finite(names: Sequence[str], weights: Mapping[str, Any]) -> None:
    """Raises InputError for the first layer whose probe has no finite weights."""
    for name in names:
        if not all(bool(jnp.isfinite(part).all()) for part in weights[name]):
            raise InputError(
                f"The layer {name!r} has no linear probe: its values are NaN or infinite, or too large for squares "
                "in float32."
            )


@dataclass(frozen=True)
class Probing:
    """What is folded over the images: sums that the probes are solved from, and what they get right."""

    most: int
    classes: int

    def add(self, state: PyTree, activations: Activations, mask: Array, labels: Array) -> PyTree:
        """The Gram matrices and the sums by class with one more chunk."""
        target = (labels[:, None] == jnp.arange(self.classes)[None]).astype(jnp.float32)
        known = mask.astype(jnp.float32)[:, None]

        def added(name: str) -> tuple[Array, ...]:
            x = _scaled(activations[name], state["scales"][name], self.most) * known
            new = x.T @ x, x.T @ target, x.sum(0), known.sum(), (target * known).sum(0)
            return tuple(before + more for before, more in zip(state["sums"][name], new, strict=True))

        return {**state, "sums": {name: added(name) for name in activations}}

    def judge(self, state: PyTree, activations: Activations, mask: Array, labels: Array) -> PyTree:
        """The number of right answers with one more chunk."""

        def right(name: str) -> Array:
            weights, bias = state["weights"][name]
            said = (_scaled(activations[name], state["scales"][name], self.most) @ weights + bias[None]).argmax(-1)
            return state["right"][name] + ((said == labels) & mask).sum(dtype=jnp.int32)

        return {**state, "right": {name: right(name) for name in activations}}


def _names(
    model: Any, variables: Any, images: PyTree, layers: LayerNames, prepare: Prepare, call: Call
) -> tuple[str, ...]:
    """The layers asked for; by default all whose value no earlier layer has."""
    if layers is not None:
        return Reader(model, variables, layers, prepare=prepare, call=call).request(images)[0].names
    found = Reader(model, variables, None, prepare=prepare, call=call).request(images)[0].names
    two = jax.tree.map(lambda leaf: leaf[:1], images)
    image = jax.eval_shape(prepare, two) if prepare is not None else two
    rows = {row.name: row for row in probe.layers(model, variables, first_row(image), call=call)}
    return tuple(name for name in found if name not in rows or not rows[name].repeats)


def _parted(images: PyTree, labels: np.ndarray) -> tuple[PyTree, np.ndarray, tuple[PyTree, np.ndarray]]:
    held = np.arange(len(labels)) % EVERY == EVERY - 1
    if held.sum() < 1:
        raise InputError(f"One of {EVERY} images is held out, so there are at least {EVERY}; there were {len(labels)}.")
    take = lambda keep: jax.tree.map(lambda leaf: leaf[keep], images)
    return take(~held), labels[~held], (take(held), labels[held])


def _check(images: PyTree, labels: np.ndarray) -> None:
    count = len(jax.tree.leaves(images)[0])
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise InputError(
            f"Labels are the class of each image, whole numbers [{count}]; these are {labels.dtype} of {labels.shape}."
        )


def _moments(x: Array) -> tuple[Array, Array]:
    """The mean and the deviation of each feature; 1 for one that is constant."""
    deviation = x.std(0)
    return x.mean(0), jnp.where(deviation > 1e-6 * jnp.abs(x).max(), deviation, 1)


def _scaled(value: Array, scale: tuple[Array, Array], most: int) -> Array:
    mean, deviation = scale
    return (features(value, most) - mean[None]) / deviation[None]


def _zero(size: int, classes: int) -> tuple[Array, ...]:
    zero = lambda *shape: jnp.zeros(shape)
    return zero(size, size), zero(size, classes), zero(size), zero(), zero(classes)


@partial(compiled, static_argnums=5)
def _solve(gram: Array, cross: Array, total: Array, count: Array, targets: Array, ridge: float) -> tuple[Array, Array]:
    """The weights `[f k]` and the bias `[k]` of least squares on one-hot labels, with centered features."""
    mean, prior = total / count, targets / count
    centered = gram - count * mean[:, None] * mean[None]
    centered = centered + ridge * count * jnp.eye(len(gram))
    weights = jnp.linalg.solve(centered, cross - count * mean[:, None] * prior[None])
    return weights, prior - mean @ weights
