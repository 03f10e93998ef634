"""What comes in with a method: images, a key, and what the method compares an image with.

A method's `baseline` is a number, an image, one per image, or the name of an infill; here, and nowhere else, it becomes
arrays. What differs between images goes into the rows, and what all images share stays in the method.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cnnviz.attribution.infills import INFILLS
from cnnviz.attribution.segments import count_of, segments_for
from cnnviz.attribution.shapes import Method
from cnnviz.batching import map_rows
from cnnviz.errors import InputError, InputTypeError, check_known
from cnnviz.fast.jit import compiled
from cnnviz.probe import check_images
from cnnviz.probe.inputs import is_float
from cnnviz.types import Key, PyTree

INFILL = 2**32 - 1  # folded into an image's key for its infill, since samples fold in their numbers from 0 on


class Row(NamedTuple):
    """One image `[..., c]` and what its score depends on; for many images each leaf has one row per image.

    `number` is what the image's key is folded from: by default its place among the images. `inputs` are the fields of
    each method that differ between images; `run` fills them in. `held` are the model's other inputs.
    """

    image: Any
    target: PyTree = ()
    number: Any = None
    inputs: Mapping[str, Mapping[str, Any]] = {}
    held: PyTree = ()

    def key(self, key: Key | None) -> Key:
        """The image's key; a constant one if nothing is drawn at random."""
        return jax.random.fold_in(jax.random.key(0) if key is None else key, self.number)


def check_finite(images: Any, what: str = "Image") -> None:
    """Raises InputError if these are not images, or if one of them holds NaN or infinity."""
    for leaf in filter(is_float, jax.tree.leaves(check_images(images))):
        if isinstance(leaf, Tracer):
            continue
        with jax.ensure_compile_time_eval():  # inside `jit`, too: these images are numbers
            finite = np.asarray(_finite_on_device(leaf) if isinstance(leaf, jax.Array) else _finite(leaf, np))
        if not finite.all():
            raise InputError(f"{what} {int(finite.argmin())} holds NaN or infinity; maps need finite numbers.")


def _finite(images: Any, library: Any = jnp) -> Any:
    """Which images `[n]` hold finite numbers alone."""
    return library.isfinite(images).all(tuple(range(1, images.ndim)))


_finite_on_device = jax.jit(_finite)  # images on an accelerator stay there


def check_key(what: Method | str, key: Any) -> None:
    """Raises InputTypeError if a method, or an infill by name, draws at random and `key` is not a key."""
    random = INFILLS[what].random if isinstance(what, str) else what.random
    if random and not _is_key(key):
        name = f"The infill {what!r}" if isinstance(what, str) else type(what).__name__
        instead = "" if key is None else f"; this is {key!r}"
        raise InputTypeError(f"{name} draws at random; give it a key, as key=jax.random.key(0){instead}.")


def _is_key(value: Any) -> bool:
    """Whether it is a JAX key, of the new kind or of the old one (two unsigned integers)."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32)


def split(method: Method, rows: Row, key: Key | None, data: Any) -> tuple[Any, dict[str, Any]]:
    """The method with only what all images share, and its other fields, each with one row per image."""
    shared, inputs = {}, {}
    for field in fields(method):
        value = getattr(method, field.name)
        if isinstance(value, Method):  # a method made of another one
            shared[field.name], inputs[field.name] = split(value, rows, key, data)
        elif "per_image" in field.metadata:
            shared[field.name], inputs[field.name] = None, _per_image(field.name, value, rows, key, data)
        elif "per_row" in field.metadata:
            shared[field.name], inputs[field.name] = None, value
        elif "image_set" in field.metadata:
            images, differs = _image_set(field.name, value, rows, key, data)
            shared[field.name] = None if differs else images
            inputs |= {field.name: images} if differs else {}
        elif "segments" in field.metadata and value is not None:
            shared[field.name], inputs[field.name], shared["segments"] = _segments(value, rows)
            inputs = {name: each for name, each in inputs.items() if each is not None}
    return replace(method, **shared), inputs


def joined(method: Any, inputs: Mapping[str, Any], image_shape: tuple[int, ...]) -> Any:
    """The method with one row of what `split` took out of it; a baseline has the image's shape."""
    as_they_are = {field.name for field in fields(method) if "per_row" in field.metadata}

    def field(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return joined(getattr(method, name), value, image_shape)
        if name in as_they_are:
            return value
        return value if value.ndim > len(image_shape) else jnp.broadcast_to(value, image_shape)

    return replace(method, **{name: field(name, value) for name, value in inputs.items()})


def _per_image(name: str, value: Any, rows: Row, key: Key | None, data: Any) -> Any:
    """A number `[n]` or an image `[n ... c]` for each image."""
    if isinstance(value, str):
        return _filled(value, rows, key, data)
    shape = tuple(rows.image.shape)
    array = _array(name, value, ((), shape[1:], shape), f"one per image {shape}", rows.image.dtype)
    return array if array.ndim == len(shape) else _broadcast(array, (len(rows.image), *array.shape))


def _image_set(name: str, value: Any, rows: Row, key: Key | None, data: Any) -> tuple[Any, bool]:
    """Images `[m ... c]` for all images, or `[n 1 ... c]`, an infill for each; and whether they differ like this."""
    shape = tuple(rows.image.shape[1:])
    if isinstance(value, str) and value != "data":
        return _filled(value, rows, key, data)[:, None], True
    images = _data(data, shape) if isinstance(value, str) else value
    count = len(images) if getattr(images, "ndim", 0) == len(shape) + 1 else 0
    several = f"images [m, {', '.join(map(str, shape))}]"
    array = _array(name, images, ((), shape, (max(count, 1), *shape)), several, rows.image.dtype)
    return array if array.ndim == len(shape) + 1 else _broadcast(array, (1, *shape)), False


def _segments(mask: Any, rows: Row) -> tuple[Any, Any, int]:
    """The segments that all images share, or else those of each image, and how many there are."""
    found = segments_for(mask, rows.image)
    is_shared = found.ndim < rows.image.ndim
    return (found, None, count_of(found)) if is_shared else (None, found, count_of(found))


def _array(name: str, value: Any, shapes: tuple[tuple[int, ...], ...], last: str, dtype: Any) -> Any:
    """An array of one of these shapes: a number's, an image's, and that of the `last`."""
    article = "An" if name[0] in "aeiou" else "A"
    fits = (
        f"{article} {name} is a number, an image {shapes[1]}, {last}, or the name of an infill ({', '.join(INFILLS)})"
    )
    try:
        if value is None:
            raise TypeError
        array = value.astype(dtype) if isinstance(value, jax.Array) else np.asarray(value, dtype)
    except (TypeError, ValueError) as error:
        raise InputError(f"{fits}; it was {value!r}.") from error
    if array.shape not in shapes:
        raise InputError(f"{fits}; it has the shape {array.shape}.")
    return array


def _broadcast(array: Any, shape: tuple[int, ...]) -> Any:
    return (np if isinstance(array, np.ndarray) else jnp).broadcast_to(array, shape)


def _filled(name: str, rows: Row, key: Key | None, data: Any) -> Any:
    """The infill of this name for each image `[n ... c]`."""
    check_known("infill", name, INFILLS)
    check_key(name, key)
    if INFILLS[name].spatial and rows.image.ndim < 3:
        raise InputError(
            f"The infill {name!r} needs images, signals or volumes; these are vectors {tuple(rows.image.shape)}."
        )
    images = _data(data, tuple(rows.image.shape[1:])) if INFILLS[name].needs_data else None
    return map_rows(partial(_fill, name, key, images), rows._replace(target=(), inputs={}, held=()))


@partial(compiled, static_argnums=0)
def _fill(name: str, key: Key | None, data: Any, rows: Row) -> PyTree:
    one = lambda row: INFILLS[name].fill(row.image, jax.random.fold_in(row.key(key), INFILL), data)
    return jax.vmap(one)(rows)


def _data(data: Any, shape: tuple[int, ...]) -> Any:
    """The images `[m ... c]` that were given as a data set."""
    if data is None:
        raise InputError('The infill "data" needs images of a data set; give them as data=...')
    check_finite(data, "Image of the data set")
    if tuple(data.shape[1:]) != shape:
        raise InputError(f"The images of the data set have the shape {shape}; these have {tuple(data.shape[1:])}.")
    return data
