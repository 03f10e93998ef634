"""Which of a model's outputs are its logits: the one that is asked for, or the only one that can be meant."""

from collections.abc import Mapping
from typing import Any

import jax

from cnnviz.errors import InputError
from cnnviz.probe.inputs import named_leaves
from cnnviz.types import Array, PyTree

OutputName = str | int | None


def named_outputs(returned: PyTree) -> dict[str, Array]:
    """The arrays that a model returned by their place: a key, an index or a field, nested ones joined by "/"."""
    return {name: leaf for name, leaf in named_leaves(returned).items() if isinstance(leaf, jax.Array)}


def logits_among(outputs: Mapping[str, Any], asked: OutputName) -> str:
    """The name of the output that the logits are: `asked`, by its place or the last part of it.

    Without `asked` it is the only output, else the one that is called "logits", else the only one of two axes,
    `[n, k]`. Raises InputError, with the names to choose from, if that does not decide.
    """
    if asked is not None:
        fitting = _called(outputs, str(asked))
        if len(fitting) == 1:
            return fitting[0]
        raise InputError(f"The model has no single output {asked!r}; {_listed(outputs)}.")
    two_axes = [name for name, value in outputs.items() if len(value.shape) == 2]
    for fitting in (list(outputs), _called(outputs, "logits"), two_axes):
        if len(fitting) == 1:
            return fitting[0]
    first = two_axes[0] if two_axes else next(iter(outputs), "logits")
    choice = int(first) if first.isdigit() else first
    raise InputError(
        f"It is not clear which output the logits are; {_listed(outputs)}. Name one: output={choice!r}, or --output "
        f"{choice} of visualize.py; one that is to be trained is returned under the name 'logits'."
    )


def _called(outputs: Mapping[str, Any], name: str) -> list[str]:
    return [name] if name in outputs else [place for place in outputs if place.split("/")[-1] == name]


def _listed(outputs: Mapping[str, Any]) -> str:
    shapes = [f"{name or 'its only one'} {tuple(value.shape)}" for name, value in outputs.items()]
    return f"the model gives {', '.join(shapes) or 'no array'}"
