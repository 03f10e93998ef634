"""Where a layer or the logits have a NaN: which channel, for which image."""

import jax.numpy as jnp
import numpy as np

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.probe import LOGITS
from cnnviz.types import Activations, Array
from cnnviz.units.layer import Units


def check_finite(asked: Units) -> None:
    """Raises InputError that names the first image and the channel where the layer, or else the logits, are not finite.

    Nothing is raised if both are finite in the intact network.
    """
    reader = asked.reader
    for name in (asked.layer, LOGITS):
        found = probe.fold(
            reader.model,
            reader.variables,
            asked.images,
            name,
            (jnp.int32(0), jnp.int32(-1), jnp.int32(0)),
            _first,
            prepare=reader.prepare,
            call=reader.call,
            output=reader.output,
            batch_size=asked.batch_size,
        )
        _, image, channel = map(int, np.asarray(found))
        if image >= 0:
            what = "The logits have" if name == LOGITS else f"The layer {name} has"
            raise InputError(
                f"{what} a value that is NaN or infinite in channel {channel} for image {image}; without finite values "
                "no accuracy or loss means anything."
            )


def _first(state: tuple[Array, Array, Array], activations: Activations, mask: Array) -> tuple[Array, Array, Array]:
    """The number of images so far, and the first image with a value that is not finite and its channel."""
    (value,) = activations.values()
    before, image, channel = state
    bad = ~jnp.isfinite(value).reshape(len(value), -1, value.shape[-1]).all(1) & mask[:, None]  # [n c]
    first = bad.any(1).argmax()
    is_new = bad.any() & (image < 0)
    return (
        before + mask.sum(dtype=jnp.int32),
        jnp.where(is_new, before + first, image).astype(jnp.int32),
        jnp.where(is_new, bad[first].argmax(), channel).astype(jnp.int32),
    )
