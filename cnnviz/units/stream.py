"""One pass over a data set with accumulators of each layer's channels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError
from cnnviz.probe import NOTHING, fold
from cnnviz.probe.inputs import image_count
from cnnviz.types import Activations, Array, PyTree, VariablesLike
from cnnviz.units.accumulators import NO_IMAGE
from cnnviz.units.chunk import Chunk

Parts = tuple[tuple[str, Any], ...]  # accumulators by name


def streamed(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    shapes: Mapping[str, tuple[int, ...]],
    parts: Callable[[tuple[int, ...]], Parts],
    labels: np.ndarray | None = None,
    **named: Any,
) -> dict[str, dict[str, Any]]:
    """What the accumulators of each layer, `parts(shape)`, have seen of all images, as NumPy arrays by their names.

    One of them is `extremes`. Raises InputError for values that are not finite.
    """
    update = Update(tuple((name, parts(shape)) for name, shape in shapes.items()))
    rows = (np.arange(image_count(images, NOTHING), dtype=np.int32), *(() if labels is None else (labels,)))
    found = fold(model, variables, images, list(shapes), update.empty, update, update.merged, rows=rows, **named)
    _, states = jax.device_get(found)
    states = {name: states[name] for name in shapes}  # JAX sorts the keys
    _check_finite(states)
    return states


@dataclass(frozen=True)
class Update:
    """The update of all accumulators of all layers, as `probe.fold` takes it; equal ones share a compilation."""

    layers: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]

    @property
    def empty(self) -> PyTree:
        """The state before any image: how many there were, and each layer's."""
        states = {name: {part: one.empty for part, one in parts} for name, parts in self.layers}
        return jnp.zeros((), jnp.float32), states

    def __call__(
        self, state: PyTree, activations: Activations, mask: Array, index: Array, classes: Array | None = None
    ) -> PyTree:
        """The state after a chunk."""
        before, states = state
        new = {}
        for name, parts in self.layers:
            needs = {need for _, one in parts for need in one.needs}
            chunk = Chunk.of(activations[name], mask, index, classes, before, needs)
            new[name] = {part: one.grown(states[name][part], chunk) for part, one in parts}
        return before + mask.sum().astype(jnp.float32), new

    def merged(self, a: PyTree, b: PyTree) -> PyTree:
        """The state after the images of both."""
        (count_a, states_a), (count_b, states_b) = a, b
        merge = lambda name, part, one: one.merged(states_a[name][part], states_b[name][part], (count_a, count_b))
        return count_a + count_b, {
            name: {part: merge(name, part, one) for part, one in parts} for name, parts in self.layers
        }


def _check_finite(states: Mapping[str, Any]) -> None:
    """Raises InputError for the first layer, in order of execution, with a value that is not finite."""
    for name, state in states.items():
        low, _, bad = state["extremes"]
        if (bad != NO_IMAGE).any():
            image = int(bad.min())
            channel, others = int(np.argmin(bad)), int((bad != NO_IMAGE).sum()) - 1
            more = f", as {others:,} more of its {len(low):,} channels are in this or other images" if others else ""
            raise InputError(
                f"The layer {name!r} is not finite (NaN or infinite) in channel {channel} for image {image}{more}; "
                "statistics need finite values: see whether the weights or the prepared images are finite."
            )
