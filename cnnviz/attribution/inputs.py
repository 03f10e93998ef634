"""What is handed in with a method: images, a key, and the fields of the method that hold a row an image."""

from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz.attribution.shapes import Method
from cnnviz.errors import InputError, InputTypeError
from cnnviz.probe import check_images


def check_finite(images: Any) -> None:
    """An InputError for what are no images, and for the first that has a value which is no finite number."""
    check_images(images)
    if not isinstance(images, Tracer) and (bad := ~np.isfinite(np.asarray(images)).all((1, 2, 3))).any():
        raise InputError(f"Image {int(bad.argmax())} holds NaN or infinity; maps need finite numbers.")


def check_key(method: Method, key: Any) -> None:
    """An InputTypeError where the method needs a key and this is none."""
    if method.random and not _is_key(key):
        given = "" if key is None else f"; this is {key!r}"
        needs = f"{type(method).__name__} draws at random; give it a key, as key=jax.random.key(0)"
        raise InputTypeError(f"{needs}{given}.")


def _is_key(given: Any) -> bool:
    """Whether it is a key of JAX, of the new kind or of the old one, two whole numbers."""
    dtype = getattr(given, "dtype", None)
    return dtype is not None and (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32)


def split_rows(method: Method, images: Any) -> tuple[Method, dict[str, Any]]:
    """The method without its fields that hold a row an image, and those fields, a row an image."""
    names = [f.name for f in fields(method) if "per_image" in f.metadata]
    inputs = {name: _per_image(name, getattr(method, name), images) for name in names}
    return replace(method, **dict.fromkeys(names)), inputs


def _per_image(name: str, given: Any, images: Any) -> Any:
    """A number or an image's worth of them, for each image; another shape is an InputError."""
    fits = f"A {name} is one number or has the shape of an image, {images.shape[1:]}"
    try:
        array = given if isinstance(given, jax.Array) else np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{fits}; it was {given!r}.") from error
    if array.shape not in ((), images.shape[1:], images.shape):
        raise InputError(f"{fits}; it was {array.shape}.")
    if array.shape == images.shape:
        return array
    return (np if isinstance(array, np.ndarray) else jnp).broadcast_to(array, (len(images), *array.shape))
