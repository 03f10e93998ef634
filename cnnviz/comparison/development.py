"""When units and layers became what they are: their similarity to the end of training, step by step."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Shaped

from cnnviz.batching import Report
from cnnviz.comparison.minibatches import alignments
from cnnviz.comparison.similarity import check_images, reader
from cnnviz.errors import InputError, check_known
from cnnviz.networks import Net
from cnnviz.probe import Reader, fold_readers
from cnnviz.types import Array

LEVEL = 0.9  # of similarity, from which on a unit counts as what it is at the end
STREAMED = ("debiased_cka", "linear_cka")


class OfLayers(NamedTuple):
    """The similarity `[layers, steps]` of each layer to itself at the last step."""

    layers: tuple[str, ...]
    values: Float[np.ndarray, "l s"]


def layers_over_steps(
    nets: Sequence[Net],
    images: Shaped[np.ndarray, "n ..."],
    measure: str = "debiased_cka",
    *,
    batch_size: int | None = None,
    report: Report | None = None,
) -> OfLayers:
    """CKA of every layer at every step with the same layer at the last, in one pass over uint8 images.

    `nets` are the network at ascending steps. NaN is a layer that is the same for all images at some step. Raises
    InputError for fewer than two steps and for other measures than `debiased_cka` and `linear_cka`.
    """
    check_known("measure over steps", measure, STREAMED)
    _check(nets, images)
    names = [f"{i:06}" for i in range(len(nets))]
    readers = {name: reader(net) for name, net in zip(names, nets, strict=True)}
    got = alignments(readers, images, batch_size=batch_size, report=report)
    values = np.stack([np.diagonal(got.of(measure, name, names[-1])) for name in names], axis=1).copy()
    values[:, -1] = np.where(np.isfinite(values[:, -1]), 1.0, np.nan)
    return OfLayers(tuple(layer for name, layer in got.names if name == names[-1]), values)


def units_over_steps(
    nets: Sequence[Net],
    layer: str,
    images: Shaped[np.ndarray, "n ..."],
    *,
    batch_size: int | None = None,
    report: Report | None = None,
) -> Float[np.ndarray, "u s"]:
    """The correlation of every unit of a layer at every step with itself at the last, over images and places.

    Streamed over uint8 images; a unit is a channel. One that does not vary at a step correlates with nothing there: 0;
    NaN if it does not vary at the last. Raises InputError for fewer than two steps.
    """
    _check(nets, images)
    readers = {f"{i:06}": Reader(net.model, net.variables, [layer], prepare=net.prepare) for i, net in enumerate(nets)}
    units = nets[0].layer(layer).shape[-1]
    empty = jnp.zeros((len(nets), units))
    init = {"count": jnp.zeros(())} | dict.fromkeys(("x", "y", "xx", "yy", "xy"), empty)
    found = fold_readers(readers, images, init, _update, batch_size=batch_size, report=report)
    xx, yy, xy = (np.asarray(found[name], np.float64) for name in ("xx", "yy", "xy"))
    scale = np.sqrt(xx * yy)
    values = np.clip(np.divide(xy, scale, out=np.zeros_like(xy), where=scale > 0), -1, 1)
    values[-1] = 1.0
    return np.where(yy > 0, values, np.nan).T


def settled(values: Float[np.ndarray, "rows s"], level: float = LEVEL) -> Bool[np.ndarray, "rows s"]:
    """Where each row begins to stay at `level` or more until the last step; nowhere for one that ends below it."""
    holds = np.logical_and.accumulate((np.nan_to_num(values, nan=-np.inf) >= level)[:, ::-1], axis=1)[:, ::-1]
    first = np.zeros_like(holds)
    rows = np.flatnonzero(holds[:, -1])
    first[rows, holds[rows].argmax(axis=1)] = True
    return first


def _check(nets: Sequence[Net], images: Shaped[np.ndarray, "n ..."]) -> None:
    if len(nets) < 2:
        raise InputError(f"A network over training takes at least two steps of it; it was given at {len(nets)}.")
    check_images(nets, images)


def _update(state: dict[str, Any], activations: Mapping[str, Any], mask: Bool[Array, " n"]) -> dict[str, Any]:
    """The moments with those of one more chunk, merged as by Chan et al., 1979."""
    x = jnp.stack([_rows(next(iter(activations[name].values()))) for name in sorted(activations)])
    weight = jnp.broadcast_to(mask[:, None], x.shape[1:3]).astype(jnp.float32)
    count = weight.sum()
    means = jnp.einsum("snpu,np->su", x, weight) / jnp.maximum(count, 1)
    x = (x - means[:, None, None]) * weight[None, :, :, None]
    y, mean_y = x[-1:], jnp.broadcast_to(means[-1:], means.shape)
    total = state["count"] + count
    share, step = state["count"] * count / jnp.maximum(total, 1), count / jnp.maximum(total, 1)
    dx, dy = means - state["x"], mean_y - state["y"]
    added = {"xx": (x**2, dx**2), "yy": (jnp.broadcast_to(y**2, x.shape), dy**2), "xy": (x * y, dx * dy)}
    sums = {name: state[name] + own.sum((1, 2)) + apart * share for name, (own, apart) in added.items()}
    return {"count": total, "x": state["x"] + dx * step, "y": state["y"] + dy * step, **sums}


def _rows(values: Array) -> Float[Array, "n p u"]:
    return values.reshape(len(values), -1, values.shape[-1]).astype(jnp.float32)
