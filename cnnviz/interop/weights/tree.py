"""Arrays nested in dicts by the parts of their names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from cnnviz.errors import InputError, memory
from cnnviz.types import PyTree

Arrays = Mapping[str, Shaped[np.ndarray, "..."]]
Tree = Mapping[str, Any]  # of arrays and trees; other values have no meaning
DEEPEST = 64  # levels of a tree
NAMES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
DTYPES = {name: np.dtype(name) for name in NAMES}
DTYPES |= {str(np.dtype(kind)): np.dtype(kind) for kind in (jnp.bfloat16, jnp.float8_e4m3fn, jnp.float8_e5m2)}


def nested(arrays: Arrays) -> Tree:
    """Arrays by names such as `params/conv/kernel` as nested dicts; the separator is "/", or "." if no name has one.

    Raises ValueError if one name goes on where another ends.
    """
    separator = "/" if any("/" in name for name in arrays) else "."
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *folders, last = name.split(separator)
        inner = tree
        for folder in folders:
            inner = inner.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{name!r} goes on where another array's name ends")
        if last in inner:
            raise ValueError(f"{name!r} ends where another array's name goes on")
        inner[last] = array
    return tree


def flat(tree: Tree) -> dict[tuple[str, ...], Any]:
    """The arrays of a tree by path, in order; other leaves are left out. Raises ValueError if it is too deep."""
    return dict(_leaves(tree))


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """The leaves of a tree by their path, joined by "/"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def type_fault(array: Shaped[np.ndarray, "..."], dtype: Any) -> str | None:
    """What is wrong with an array for a place of this type, of which it is the subject; None if nothing is.

    Numbers of another kind (integers for floats) are, and finite ones that the type rounds to infinity.
    """
    if _kind(array.dtype) != _kind(dtype):
        return f"has the type {array.dtype}, not {dtype}"
    if not jnp.issubdtype(dtype, jnp.floating) or jnp.finfo(array.dtype).max <= (largest := jnp.finfo(dtype).max):
        return None
    finite = array[np.isfinite(array)]
    beyond = np.abs(finite).max(initial=0)
    return f"has values up to {beyond:.3g}; {dtype} ends at {largest:.3g}" if beyond > largest else None


def _kind(dtype: Any) -> Any:
    return next(
        (kind for kind in (jnp.floating, jnp.integer, jnp.complexfloating) if jnp.issubdtype(dtype, kind)), None
    )


def _leaves(tree: Tree) -> Iterator[tuple[tuple[str, ...], Any]]:
    open_ones: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    while open_ones:  # not recursive, since a file decides how deep it is
        path, value = open_ones.pop()
        if len(path) > DEEPEST:
            raise ValueError(f"its arrays are nested more than {DEEPEST} levels deep")
        if isinstance(value, Mapping):
            open_ones += [((*path, str(name)), inner) for name, inner in reversed([*value.items()])]
        elif isinstance(value, np.ndarray | np.generic):
            yield path, value


def content(path: Path) -> bytes:
    """The bytes of a file; raises InputError if it is not a file, or larger than the memory."""
    if not path.is_file():
        raise InputError(f"{path} is not a file.")
    if (size := path.stat().st_size) > memory.most() // 2:
        raise InputError(f"{path} has {memory.in_words(size)}, more than fits into memory with the network.")
    return path.read_bytes()
