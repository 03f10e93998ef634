"""Variables whose layers are made random one by one, from the top down."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.probe.trace import Static
from cnnviz.types import Array, Key, PyTree, Variables

Path = tuple[str, ...]


def layers_with_weights(model: Any, variables: Variables, image_shape: Sequence[int]) -> list[Path]:
    """The paths of the modules that have parameters, in order of execution."""
    found = list(dict.fromkeys(path[:-1] for path in _paths(variables["params"])))
    names = [layer.name.partition("@")[0] for layer in probe.layers(model, variables, tuple(image_shape))]
    place = lambda path: next((i for i, name in enumerate(names) if name == "/".join(path)), len(names))
    return sorted(found, key=place)


def _paths(tree: PyTree) -> list[Path]:
    keyed, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [tuple(str(getattr(entry, "key", getattr(entry, "idx", entry))) for entry in path) for path, _ in keyed]


def randomized(
    model: Any, variables: Variables, image_shape: Sequence[int], key: Key, draw: str, *, cascading: bool
) -> Iterator[tuple[str, Variables]]:
    """The name of each layer, from the last to the first, with variables in which it is random.

    With `cascading` the layers after it are random too, and without it is the only one. `draw` is "initial", as the
    model draws its weights before training, or "shuffle", its own weights in a random order. Statistics of BatchNorm
    stay as they are.
    """
    drawn = _drawn(model, variables, image_shape, key, draw)
    order = [*reversed(layers_with_weights(model, variables, image_shape))]
    if not order:
        raise InputError("The network has no weights that could be made random.")
    for i, path in enumerate(order):
        random = order[: i + 1] if cascading else [path]
        choose = lambda leaf, new, at, random=random: new if at[:-1] in random else leaf
        yield "/".join(path), {**variables, "params": _merged(variables["params"], drawn, choose)}


def _merged(params: PyTree, drawn: PyTree, choose: Any) -> PyTree:
    leaves, form = jax.tree.flatten(params)
    each = zip(leaves, jax.tree.leaves(drawn), _paths(params), strict=True)
    return jax.tree.unflatten(form, [choose(leaf, jnp.asarray(new, leaf.dtype), at) for leaf, new, at in each])


def _drawn(model: Any, variables: Variables, image_shape: Sequence[int], key: Key, draw: str) -> PyTree:
    if draw == "shuffle":
        leaves, form = jax.tree.flatten(variables["params"])
        shuffle = lambda i, leaf: jax.random.permutation(jax.random.fold_in(key, i), leaf.ravel()).reshape(leaf.shape)
        return jax.tree.unflatten(form, [shuffle(i, jnp.asarray(leaf)) for i, leaf in enumerate(leaves)])
    if isinstance(model, probe.Adapter) and not model.is_drawable:
        raise InputError("The weights of this module cannot be drawn again; take draw='shuffle'.")
    return _initial(Static(model), key, jnp.zeros((1, *image_shape)))["params"]


@partial(jax.jit, static_argnums=0)
def _initial(model: Static, key: Key, images: Array) -> PyTree:
    """The model's variables before training, which the next metric of this model need not compile again."""
    return probe.initial_variables(model.value, key, images)
