"""How alike the units of two networks respond to the same images: correlations, streamed over the images.

As in Li et al., "Convergent Learning", 2016, and in git re-basin's activation matching. The null has the images of one
network shifted by one and more within their chunk, so that its units respond to other images than the other's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cnnviz import probe
from cnnviz.batching import Report
from cnnviz.comparison.ties import Group, Ties
from cnnviz.probe import Reader
from cnnviz.types import Array

Similarity = Float[np.ndarray, "_ _"]
Layers = tuple[tuple[str, tuple[tuple[str, int, tuple[tuple[int, ...], ...]], ...]], ...]


def correlations(
    a: Reader,
    b: Reader,
    tied: Ties,
    images: Any,
    *,
    shifts: int = 0,
    batch_size: int | None = None,
    report: Report | None = None,
) -> dict[str, list[Similarity]]:
    """For each group of units, the correlations of A's (rows) with B's over images and places, from -1 to 1.

    The first is over the same images; the `shifts` others are the null. A unit that does not vary correlates with
    none: zero. Each is the mean over the group's first and its last layer, without a layer in which neither unit of the
    pair varies. Groups that no layer shows are left out.
    """
    layers = tuple((group.name, _read(group)) for group in tied.groups if _read(group))
    names = sorted({name for _, own in layers for name, *_ in own})
    readers = [
        Reader(each.model, each.variables, names, prepare=each.prepare, call=each.call, output=each.output)
        for each in (a, b)
    ]
    sizes = {group.name: group.size for group in tied.groups}
    init = {name: [[_empty(sizes[name])] * (shifts + 1)] * len(own) for name, own in layers}
    if not init:
        return {}
    found = probe.fold_readers(readers, images, init, _Update(layers, shifts), batch_size=batch_size, report=report)
    means = {
        name: [_mean([_correlation(one[k]) for one in own]) for k in range(shifts + 1)] for name, own in found.items()
    }
    return means


def _read(group: Group) -> tuple[tuple[str, int, tuple[tuple[int, ...], ...]], ...]:
    """The layers in which a group is read: its first and its last, each with the axis and the units' positions."""
    known = [(name, place) for name, place in group.layers.items() if place.axis > 0]
    ends = {name: place for name, place in (known[:1] + known[-1:])}
    return tuple((name, place.axis, tuple(map(tuple, place.positions.tolist()))) for name, place in ends.items())


class _Update:
    """The update of the fold, compared by what it depends on, so that nothing recompiles."""

    def __init__(self, layers: Layers, shifts: int):
        self.key = layers, shifts

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Update) and self.key == other.key

    def __call__(self, state: Any, activations: Any, mask: Array) -> Any:
        layers, shifts = self.key
        found = {}
        for name, own in layers:
            each = []
            for i, (layer, axis, positions) in enumerate(own):
                x, y = (_rows(one[layer], axis, positions) for one in activations)
                each.append(
                    [
                        _added(old, x, jnp.roll(y, k, 0), mask & jnp.roll(mask, k))
                        for k, old in enumerate(state[name][i])
                    ]
                )
            found[name] = each
        return found


def _rows(value: Array, axis: int, positions: Any) -> Array:
    """The units' values `[images, places, units]`."""
    moved = jnp.moveaxis(value, axis, -1)[..., jnp.asarray(positions)]  # [n, ..., units, times]
    moved = jnp.moveaxis(moved, -1, 1)
    return moved.reshape(len(value), -1, len(positions)).astype(jnp.float32)


def _empty(n: int) -> dict[str, Array]:
    zeros = jnp.zeros(n)
    return {"count": jnp.zeros(()), "x": zeros, "y": zeros, "xx": zeros, "yy": zeros, "xy": jnp.zeros((n, n))}


def _added(old: dict[str, Array], x: Array, y: Array, mask: Array) -> dict[str, Array]:
    """The moments with those of one more chunk, merged as by Chan et al., 1979."""
    weight = jnp.broadcast_to(mask[:, None], x.shape[:2]).astype(jnp.float32)
    count = weight.sum()
    mean = lambda z: jnp.einsum("npu,np->u", z, weight) / jnp.maximum(count, 1)
    means = mean(x), mean(y)
    u, v = ((z - m[None, None]) * weight[..., None] for z, m in zip((x, y), means, strict=True))
    total = old["count"] + count
    share = old["count"] * count / jnp.maximum(total, 1)
    dx, dy = means[0] - old["x"], means[1] - old["y"]
    step = count / jnp.maximum(total, 1)
    return {
        "count": total,
        "x": old["x"] + dx * step,
        "y": old["y"] + dy * step,
        "xx": old["xx"] + (u**2).sum((0, 1)) + dx**2 * share,
        "yy": old["yy"] + (v**2).sum((0, 1)) + dy**2 * share,
        "xy": old["xy"] + jnp.einsum("npu,npw->uw", u, v) + dx[:, None] * dy[None] * share,
    }


def _correlation(moments: Mapping[str, Array]) -> Similarity:
    xy, xx, yy = (np.asarray(moments[name], np.float64) for name in ("xy", "xx", "yy"))
    scale = np.sqrt(xx[:, None] * yy[None])
    found = np.clip(np.divide(xy, scale, out=np.zeros_like(xy), where=scale > 0), -1, 1)
    return np.where((xx[:, None] == 0) & (yy[None] == 0), np.nan, found)


def _mean(each: Sequence[Similarity]) -> Similarity:
    """The mean of what is known; zero where nothing is."""
    count = np.isfinite(each).sum(axis=0)
    return np.nansum(each, axis=0) / np.maximum(count, 1)
