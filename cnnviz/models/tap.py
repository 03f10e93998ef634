"""Naming an activation inside a model."""

import flax.linen as nn

from cnnviz.types import Array


def tap(module: nn.Module, name: str, value: Array) -> Array:
    """`value`, sown under `name`: a layer that can be read and offset, at no cost to who does not read it."""
    module.sow("intermediates", name, value, reduce_fn=lambda _, new: new, init_fn=lambda: value)
    return value
