"""Networks as Keras models, made of Keras's own layers from what the network computes."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError, needs_extra
from cnnviz.networks.export.called import described
from cnnviz.networks.export.conversion import Conversion
from cnnviz.networks.export.rules import RULES
from cnnviz.networks.net import Net
from cnnviz.probe.outputs import logits_among
from cnnviz.probe.trace import trace
from cnnviz.types import PyTree

BACKEND = "KERAS_BACKEND"


def write(net: Net, path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Writes a `.keras` file that plain Keras 3 loads, with the names of the network's layers.

    Raises InputError if Keras is not installed, or has no layer for something that the network computes.
    """
    with needs_extra("keras", f"{net.name} cannot be exported to Keras"):
        keras = _keras()
    with jax.numpy_rank_promotion("allow"):  # Keras adds biases without their other axes
        keras_model(net, keras).save(path)
    return {**described(net), "load": f"keras.models.load_model({path.name!r})(images)"}


def keras_model(net: Net, keras: Any) -> Any:
    """The Keras model that computes the same, for images of any number."""
    images = jax.ShapeDtypeStruct((2, *net.image_shape), jnp.float32)  # two, so that no side of one is taken for them
    traced = trace(net.model, net.variables, images, {})
    if list(traced.images) != [""]:
        raise InputError(f"{net.name} has several inputs; a Keras file is written of networks with one.")
    given = keras.Input(net.image_shape, name="images")
    names = {layer.value: name for name, layer in reversed([*traced.layers.items()])}  # the first of equal values
    leaves: list[PyTree] = jax.tree.leaves(net.variables)
    conversion = Conversion(keras, net.name, names, RULES)
    (output,) = conversion.run(traced.graph, [*leaves, given], [traced.outputs[logits_among(traced.outputs, None)]])
    model = keras.Model(given, output, name=conversion.unique(net.name))
    conversion.fill()
    return model


def _keras() -> Any:
    """Keras, on JAX unless the user has chosen another backend."""
    if "keras" not in sys.modules:
        os.environ.setdefault(BACKEND, "jax")
    import keras

    return keras
