"""A network as a function of a batch of any size, and what its input and output are."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.export import symbolic_shape

from cnnviz import probe
from cnnviz.networks.net import Net
from cnnviz.types import Array

BATCH = "n"  # the symbol of the number of images
MEANINGS = {"none": "logits", "softmax": "probabilities, by a softmax", "sigmoid": "probabilities, by sigmoids"}


class Called(NamedTuple):
    """A function of prepared images, and the shape and type that it takes: with `is_direct` as the model is called.

    A model that asks for the length of its batch cannot be called with a symbol for it; each image is then a batch of
    one under `vmap`.
    """

    function: Callable[[Array], Array]
    images: jax.ShapeDtypeStruct
    is_direct: bool


def called(net: Net) -> Called:
    """The network's own output for images `[n, ..., c]`, float32 as `prepare` makes them."""
    (batch,) = symbolic_shape(BATCH)
    images = jax.ShapeDtypeStruct((batch, *net.image_shape), jnp.float32)
    direct = partial(probe.evaluated, net.model, net.variables)
    try:
        jax.eval_shape(direct, images)
    except (TypeError, jax.errors.JAXTypeError):
        return Called(jax.vmap(lambda image: direct(image[None])[0]), images, False)
    return Called(direct, images, True)


def taken(net: Net) -> dict[str, Any]:
    """The input alone, and how pixels become it."""
    prepare = {"pixels": "uint8", "formula": "(pixel * scale - mean) / deviation", **net.prepare.described()}
    return {"shape": [BATCH, *net.image_shape], "dtype": "float32", "prepare": prepare}


def described(net: Net) -> dict[str, Any]:
    """The input and the output for the JSON beside a file."""
    shape = jax.eval_shape(
        partial(probe.evaluated, net.model, net.variables), jax.ShapeDtypeStruct((1, *net.image_shape), jnp.float32)
    ).shape
    return {
        "input": taken(net),
        "output": {"shape": [BATCH, *shape[1:]], "dtype": "float32", "meaning": MEANINGS[net.ending]},
    }
