"""What is explained: one number of a model's logits, as a function of one image and of offsets to its layers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError, InputTypeError
from cnnviz.probe.read import NOTHING, Call, check_images
from cnnviz.probe.trace import Trace, trace
from cnnviz.types import Activations, Array, Image, Scalar, Score, Variables

Class = int | np.integer | Array
Target = Class | tuple[Class, Class] | Callable[[Array], Array]


def score_of(model: Any, variables: Variables, target: Target, *, call: Call = NOTHING) -> Score:
    """What is explained: the target's logit as a function of one image and of offsets added to activations.

    `target` is a class index (it may be traced), a pair of them (the difference of their logits), or a function of the
    logits, which are those before any softmax that the model ends in. A missing offset means zero; the score's second
    result is every layer's value, without a batch axis, and the logits under "logits". Inside `jax.jit`, pass
    `variables` and `target` as arguments, so that another checkpoint or class does not recompile.
    """

    def score(image: Image, offsets: Activations) -> tuple[Scalar, Activations]:
        images = check_images(image[None])
        traced = trace(model, variables, images, call)
        shifts = {traced.value(name): _as_offset(traced, name, offset) for name, offset in offsets.items()}
        found, *values = traced.compute(variables, images, [traced.logits, *traced.values.values()], shifts)
        named = zip(traced.values, values, strict=True)
        rows = {name: jnp.squeeze(value, traced.axes[name]) for name, value in named}
        return _pick(found[0], target), {"logits": found[0], **rows}

    return score


def _as_offset(traced: Trace, name: str, offset: Array) -> Array:
    """The offset with the layer's batch axis; another shape would broadcast in silence: an InputError."""
    axis = traced.axes.get(name, 0)
    shifted = jnp.expand_dims(offset, axis)
    if shifted.shape != traced.value(name).shape:
        shape = tuple(n for i, n in enumerate(traced.value(name).shape) if i != axis)
        raise InputError(
            f"An offset has the shape of its layer; {name!r} has {shape}, the offset {tuple(offset.shape)}."
        )
    return shifted


def _pick(logits: Array, target: Target) -> Array:
    """The scalar that `target` names among one image's logits."""
    if callable(target):
        return _one_number(target(logits))
    if isinstance(target, tuple):
        return _pick(logits, target[0]) - _pick(logits, target[1])
    if logits.ndim != 1:
        raise InputError(f"A class has one score; this model gives {tuple(logits.shape)} an image, so give a function.")
    if isinstance(target, int | np.integer) and not 0 <= target < logits.shape[-1]:
        raise InputError(f"A target is a class from 0 to {logits.shape[-1] - 1}; it was {target}.")
    return logits[target]


def _one_number(found: Any) -> Array:
    """What a function of the logits gives; anything but one number is an InputTypeError."""
    if np.shape(found) != () or not isinstance(found, float | jax.Array | np.generic):
        given = f"shape {np.shape(found)}" if hasattr(found, "shape") else f"the kind {type(found).__name__}"
        raise InputTypeError(f"A target that is a function of the logits gives one number; this one gave {given}.")
    return jnp.asarray(found)
