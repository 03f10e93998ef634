"""Which tokens reach the answer through all layers of attention."""

from functools import reduce

import jax.numpy as jnp

from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.attribution.tokens import read_out
from cnnviz.errors import InputError
from cnnviz.propagation.attention import Attention, self_attentions
from cnnviz.propagation.steps import Reading, read
from cnnviz.types import Array, Float, Image, Score


def attention_layers(reading: Reading) -> list[Attention]:
    """The self-attentions of the network; raises InputError unless they are all over the same number of tokens."""
    found = self_attentions(reading)
    counts = sorted({each.weights.shape[each.keys] for each in found})
    if len(counts) != 1:
        has = f"attentions over {', '.join(map(str, counts))} tokens" if counts else "none"
        raise InputError(
            "Attention is followed through layers of self-attention over the same tokens (a softmax whose output is "
            f"multiplied with values of as many tokens); this network has {has}."
        )
    return found


@method
class AttentionRollout(Direct):
    """The share of each token in the class token, or in the mean of all tokens, by the layers' attention alone.

    The product over layers of (W + I) / 2, where W is the mean of the heads' attention weights and I stands for the
    residual connection; each row sums to 1. It does not depend on the score. Attention is found in the graph as a
    softmax whose output is multiplied with other values. Abnar & Zuidema 2020, Quantifying attention flow in
    transformers, eq. 1 and 2 (arXiv:2005.00928).
    """

    rewritten = False
    maps = True

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image)
        weights = [each.by_head(reading.values[each.weights]).mean(0) for each in attention_layers(reading)]
        rolled = reduce(
            lambda below, w: _with_residual(w) @ below, weights, jnp.eye(len(weights[0]), dtype=image.dtype)
        )
        return {"attention": read_out(rolled, image.shape)}


def _with_residual(weights: Float[Array, "t t"]) -> Float[Array, "t t"]:
    mixed = (weights + jnp.eye(len(weights), dtype=weights.dtype)) / 2
    return mixed / mixed.sum(-1, keepdims=True)
