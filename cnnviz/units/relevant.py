"""The images in which a unit matters most for what the network says: RelMax, by relevance instead of by value.

Achtibat et al. 2023, "From attribution maps to human-understandable explanations through concept relevance propagation"
(doi:10.1038/s42256-023-00711-8), section "Relevance maximization".
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from cnnviz.attribution import attribute
from cnnviz.batching import IMAGE_ROWS, Report
from cnnviz.batching.chunks import Calls, chunk_count, chunks
from cnnviz.errors import InputError
from cnnviz.probe import Reader
from cnnviz.probe.inputs import image_count
from cnnviz.types import Array, PyTree
from cnnviz.units.places import rows_of
from cnnviz.units.summary import Top

COMPOSITE = "epsilon_plus"


def most_relevant(
    reader: Reader,
    images: PyTree,
    layer: str,
    sides: tuple[int, ...],
    k: int,
    *,
    batch_size: int | None = None,
    report: Report | None = None,
) -> Top:
    """The k images in which each channel of a layer has the largest relevance for the class that is predicted.

    The relevance is that of LRP (`epsilon_plus`) at the layer, from the logit of each image's predicted class; an image
    counts once, by the largest value of the channel's map. The state is k images, however many there are. Raises
    InputError if a relevance is NaN or infinite.
    """
    size = reader.batch_size(images, batch_size, IMAGE_ROWS)
    rows = jax.tree.map(np.asarray, images), np.arange(image_count(images, reader.call))
    best, calls = None, Calls(chunk_count(rows, size), report)
    for chunk in chunks(rows, size):
        part, numbers = chunk.rows
        values, places = map(np.asarray, _largest(_relevance(reader, part, numbers, layer)))
        found = values[: chunk.valid], numbers[: chunk.valid], places[: chunk.valid]
        _check_finite(layer, *found[:2])
        best = _merged(best, found, k)
        calls.done(values)
    assert best is not None  # there is at least one image
    at = np.unravel_index(best[2], sides) if sides else ()
    return Top(best[1], best[0], np.stack(at, -1) if sides else np.zeros((*best[1].shape, 0), np.int64))


def _relevance(reader: Reader, images: PyTree, numbers: Int[np.ndarray, " n"], layer: str) -> Array:
    """The relevance of the layer's values for the predicted class, one row per image."""
    prepared = images if reader.prepare is None else jax.jit(reader.prepare)(images)
    named: Any = {"call": rows_of(reader.call, numbers), "output": reader.output, "at": layer}
    ask = partial(attribute, "lrp", reader.model, reader.variables, prepared, "predicted", composite=COMPOSITE)
    return jax.tree.leaves(ask(channels="keep", upsampling=None, **named))[0]


@jax.jit
def _largest(relevance: Array) -> tuple[Array, Array]:
    """The largest relevance of each channel's map `[n, c]`, and its flat index."""
    flat = relevance.astype(jnp.float32).reshape(len(relevance), -1, relevance.shape[-1])
    return flat.max(1), flat.argmax(1)


Best = tuple[Float[np.ndarray, "k c"], Int[np.ndarray, "k c"], Int[np.ndarray, "k c"]]  # values, images, places


def _merged(best: Best | None, found: Any, k: int) -> Best:
    """The k best with more `[n c]` of later images: the larger first, and of equal ones the earlier image."""
    values, numbers, places = found
    numbers = np.broadcast_to(numbers[:, None], values.shape)
    every = (
        [values, numbers, places]
        if best is None
        else [np.concatenate(e) for e in zip(best, (values, numbers, places), strict=True)]
    )
    order = np.argsort(-every[0], axis=0, kind="stable")[:k]
    taken = [np.take_along_axis(each, order, 0) for each in every]
    return taken[0], taken[1], taken[2]


def _check_finite(layer: str, values: Float[np.ndarray, "n c"], numbers: Int[np.ndarray, " n"]) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        image, channel = numbers[bad[0, 0]], bad[0, 1]
        raise InputError(
            f"The relevance of the layer {layer!r} is NaN or infinite in channel {channel} for image {image}; images "
            "are ranked by finite values: see whether the weights and the layer's values are finite."
        )
