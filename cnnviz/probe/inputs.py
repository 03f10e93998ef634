"""What a model is called with for some images: one array, or several with one row per image each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.errors import InputError, InputTypeError
from cnnviz.types import PyTree

Prepare = Callable[[Any], Any] | None


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Rows:
    """An argument of the model's call with one row per image, `[n, ...]`: `call={"mask": probe.Rows(mask)}`.

    It is taken a chunk at a time with its images, and another array of the same shape does not recompile. All other
    arguments are the same for all images, and constants of the compiled function.
    """

    array: PyTree

    def tree_flatten(self) -> tuple[tuple[PyTree], None]:
        return (self.array,), None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[PyTree]) -> "Rows":
        return cls(*children)


class Inputs(NamedTuple):
    """Arrays with one row per image: the images, and the model's other arguments that are `Rows`, by name."""

    images: PyTree
    rows: Mapping[str, Rows]


def inputs_of(images: PyTree, call: Mapping[str, Any]) -> Inputs:
    """The arrays with one row per image among what the model is called with."""
    return Inputs(images, {name: value for name, value in call.items() if isinstance(value, Rows)})


def call_for(call: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The call with the shapes of this many rows in place of those of its `Rows`."""
    return {**call, **with_rows(inputs_of((), call).rows, count)}


def constants(call: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the call that are the same for all images."""
    return {name: value for name, value in call.items() if not isinstance(value, Rows)}


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """The leaves of a tree by their place in it: keys, indices and fields, joined by "/"; a leaf alone is "".

    Dataclasses that are not registered with JAX are taken apart too.
    """
    found: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        place = "/".join(map(_key, path))
        if is_dataclass(leaf) and not isinstance(leaf, type):
            inside = named_leaves({field.name: getattr(leaf, field.name) for field in fields(leaf)})
            found.update({"/".join(filter(None, (place, name))): value for name, value in inside.items()})
        else:
            found[place] = leaf
    return found


def _key(entry: Any) -> str:
    return str(next(getattr(entry, kind) for kind in ("key", "idx", "name") if hasattr(entry, kind)))


def check_arrays(images: PyTree) -> PyTree:
    """The images as they are. Raises InputTypeError if they are neither an array nor several."""
    leaves = jax.tree.leaves(images)
    one = isinstance(images, list | tuple) and len(images) == 1
    if one or not leaves or not all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves):
        raise InputTypeError(f"Images are an array; these are a {type(images).__name__}.")
    return images


def check_images(images: PyTree) -> PyTree:
    """The images as they are: one float array `[n, ..., c]`, or a tree of arrays with one row per image each.

    Signals are `[n, t, c]`, pictures `[n, h, w, c]`, volumes `[n, d, h, w, c]`, vectors `[n, f]`. Of several inputs,
    some may be integers or booleans (tokens, masks), but not uint8, which is what pixels are before `prepare`. Raises
    InputTypeError or InputError for anything else.
    """
    leaves = named_leaves(check_arrays(images))
    for name, leaf in leaves.items():
        if len(leaf.shape) < (1 if name else 2):
            raise InputError(f"Images have the shape [n, ..., c], one row per image; these have {tuple(leaf.shape)}.")
        if 0 in leaf.shape[1:]:
            raise InputError(f"Images have at least one value each; these have the shape {tuple(leaf.shape)}.")
        if not is_float(leaf) and not (name and _is_index(leaf)):
            what = f"The images {name!r}" if name else "Images"
            raise InputTypeError(f"{what} are floats as the run's `prepare` makes them; these are {leaf.dtype}.")
    if not any(map(is_float, leaves.values())):
        raise InputTypeError(f"At least one of several inputs holds floats; {', '.join(leaves)} hold integers.")
    return images


def is_float(leaf: Any) -> bool:
    """Whether the array holds real numbers."""
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def canonical(dtype: Any) -> Any:
    """The type that an array of this type has in JAX: float64 is float32 unless JAX has 64 bits on."""
    return dtype if jnp.issubdtype(dtype, jax.dtypes.extended) else jax.dtypes.canonicalize_dtype(dtype)


def _is_index(leaf: Any) -> bool:
    return leaf.dtype != jnp.uint8 and any(jnp.issubdtype(leaf.dtype, kind) for kind in (jnp.integer, jnp.bool_))


def image_count(images: PyTree, call: Mapping[str, Any]) -> int:
    """The number of images. Raises InputError if an input or an argument of the call has another number of rows."""
    counts = {name or "images": leaf.shape[0] for name, leaf in named_leaves(check_arrays(images)).items()}
    counts |= {name: len(leaf) for name, rows in inputs_of((), call).rows.items() for leaf in jax.tree.leaves(rows)}
    first, *_ = counts.values()
    for name, count in counts.items():
        if count != first:
            raise InputError(
                f"All inputs have one row per image; {next(iter(counts))} has {first}, {name} has {count}."
            )
    return first


def with_rows(tree: PyTree, count: int) -> PyTree:
    """The shapes of this many rows of every leaf, as `jax.ShapeDtypeStruct`."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *np.shape(leaf)[1:]), leaf.dtype), tree)


def first_row(images: PyTree) -> PyTree:
    """The shapes of one row of each input, without the axis of rows, as `one_image` and `layers` take them."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(tuple(leaf.shape[1:]), leaf.dtype), images)


def one_image(image_shape: Any) -> PyTree:
    """One row of images as shapes: `image_shape` is `(..., c)`, an array without the first axis, or a tree of those.

    Raises InputError for anything else.
    """
    rows, form = jax.tree.flatten(image_shape, is_leaf=_is_shape)
    if not rows or not all(_is_shape(row) or (hasattr(row, "shape") and hasattr(row, "dtype")) for row in rows):
        raise InputError(f"An image has a shape such as (h, w, c), in whole numbers; it was {image_shape!r}.")
    as_row = lambda row: jax.ShapeDtypeStruct((1, *row), jnp.float32) if _is_shape(row) else _row(row)
    return jax.tree.unflatten(form, list(map(as_row, rows)))


def _row(image: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, *image.shape), image.dtype)


def _is_shape(shape: Any) -> bool:
    numbers = isinstance(shape, list | tuple) and all(isinstance(n, int | np.integer) for n in shape)
    return numbers and len(shape) > 0
