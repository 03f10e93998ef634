"""The shapes, pytrees and callables that every signature is written in."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jax.tree_util import DictKey, register_pytree_with_keys_class
from jaxtyping import Bool as Bool
from jaxtyping import Float, Int, Scalar, Shaped

PyTree = Any
Key = Array  # a key from jax.random.key
Variables = Mapping[str, PyTree]  # {"params": ..., "batch_stats": ...}
VariablesLike = Any  # variables as a user gives them: those, or a Flax TrainState; checked by probe.as_variables
LayerNames = Any  # layers as a user asks for them: names, patterns, kinds, numbers, or None for all; see probe.find

Image = Float[Array, "*places c"]  # "h w c" for a picture, "t c" for a signal; as `prepare` makes it from uint8
Images = Float[Array, "n *places c"]
Given = Shaped[Array | np.ndarray, "..."]  # images as a user gives them, checked with an error of our own
Labels = Int[Array, " n"]
Logits = Float[Array, "n k"]


@register_pytree_with_keys_class
class Arrays(dict[str, Any]):
    """Arrays by name: a dict, also to JAX, that prints their types and shapes, as a table in a notebook."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {_described(value)}' for name, value in self.items())}}}"

    def _repr_html_(self) -> str:
        cells = ((escape(str(name)), escape(_described(value))) for name, value in self.items())
        rows = "".join(f"<tr><td>{name}</td><td>{described}</td></tr>" for name, described in cells)
        return f"<table><tbody>{rows}</tbody></table>"

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        """The values in the order of their names, as JAX has them of a dict."""
        names = tuple(sorted(self))
        return [(DictKey(name), self[name]) for name in names], names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: Iterable[Any]) -> "Arrays":
        """The dict of these names and values."""
        return cls(zip(names, values, strict=True))


def _described(value: Any) -> str:
    """An array's type and shape; of anything else how it prints itself."""
    return f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else repr(value)


Activations = dict[str, Float[Array, "..."]]  # layer name -> value for one image, no batch axis

LOGITS = "//logits"  # among a score's activations, the name of the logits; a layer of this name is refused


class Outputs(NamedTuple):
    """The logits of one image, before any softmax that the network ends in, and the value of every layer."""

    logits: Float[Array, "..."]
    activations: Activations


# Both take an image and offsets added to activations; a missing offset means zero.
Network = Callable[[Image, Activations], Outputs]
Score = Callable[[Image, Activations], tuple[Scalar, Activations]]  # the logits are among the activations, as LOGITS
Send = Callable[[Callable[[], Any]], Any]  # calls a function of no arguments, perhaps from another thread
