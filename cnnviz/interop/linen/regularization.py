"""Layers that change values in training only."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.interop.linen.axes import Values


class Dropout(nn.Module):
    """The identity in evaluation; in training a fraction `rate` of values is set to zero and the rest scaled up."""

    rate: float

    @nn.compact
    def __call__(self, x: Values, train: bool = False) -> Values:
        if not train or self.rate == 0:
            return x
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0)


class Identity(nn.Module):
    """The identity in evaluation. In training, which is not imported, raises InputError unless it is one there too."""

    changes_in_training: bool = True

    def __call__(self, x: Values, train: bool = False) -> Values:
        if train and self.changes_in_training:
            raise InputError(f"The layer {self.name!r} draws at random in training; it is imported for evaluation.")
        return x
