"""Names for activations inside a model."""

import flax.linen as nn

from cnnviz.types import Array


def tap(module: nn.Module, name: str, value: Array) -> Array:
    """Sows `value` as the layer `name`, which probe can read and offset, and returns it; unread, it costs nothing."""
    module.sow("intermediates", name, value, reduce_fn=lambda _, new: new, init_fn=lambda: value)
    return value
