"""State dicts of PyTorch's in any model that can be probed, and what published ones say about their networks."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.interop.torch.convert import convert, table_of
from cnnviz.interop.torch.layouts import classes_in, prefix_of
from cnnviz.interop.torch.read import StateDict
from cnnviz.models.imagenet import EXPECTED
from cnnviz.probe.capture import record
from cnnviz.probe.inputs import one_image
from cnnviz.probe.reader import NOTHING
from cnnviz.types import Variables


def published(weights: Any, name: str) -> Mapping[str, Any] | None:
    """What weights of PyTorch's for the model `name` expect, as `models.imagenet.EXPECTED` has it.

    None for other weights, and for models that nobody publishes weights of.
    """
    return EXPECTED.get(name) if isinstance(weights, StateDict) else None


def count_classes(weights: Mapping[str, Any], model: Any) -> int | None:
    """The number of classes that published weights of the model were trained for; None if they have other names."""
    return classes_in(weights, model)


def left_out(weights: StateDict, model: Any) -> list[str]:
    """The names of a checkpoint's arrays that are not the model's, such as a loss's: they have another prefix."""
    prefix = prefix_of(weights, model)
    return [name for name in weights if not name.startswith(prefix)]


def pytorch_table(weights: StateDict, model: Any, image_shape: Any) -> dict[str, str]:
    """Which array of a state dict becomes which variable of the model, if no table says so: names to paths."""
    return table_of(weights, model, initial_shapes(model, image_shape), one_image(image_shape), _call(model))


def fit_pytorch(
    weights: StateDict,
    model: Any,
    shapes: Any,
    image_shape: Any,
    fault: str,
    table: Mapping[str, str] | None,
) -> Variables:
    """The model's variables, of these shapes, with the arrays of a state dict.

    Raises InputError, which begins with `fault`, if they do not fit.
    """
    try:
        arrays = convert(weights, model, shapes, one_image(image_shape), table, _call(model))
    except InputError as error:
        raise InputError(f"{fault}: {error}") from error
    return jax.tree.map(jnp.asarray, arrays)


def initial_shapes(model: Any, image_shape: Any) -> Any:
    """The shapes of the model's variables before training, for images of the shape (h, w, c) or several inputs."""
    return jax.eval_shape(partial(probe.initial_variables, model), jax.random.key(0), one_image(image_shape))


def _call(model: Any) -> Any:
    return lambda variables, images: record(model, variables, images, NOTHING).output
