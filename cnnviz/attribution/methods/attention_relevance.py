"""Which tokens reach the answer through all layers of attention, where attention raises the score."""

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.attention_rollout import attention_layers
from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.attribution.tokens import read_out
from cnnviz.propagation.steps import read
from cnnviz.types import Array, Image, Score


@method
class AttentionRelevance(Direct):
    """Attention times its gradient, followed through the layers: R <- R + E R, from R = I, less the I at the end.

    E is the mean over heads of max(W dS/dW, 0), for a layer's attention weights W. The map is the class token's row of
    R, or the mean of all rows. Chefer, Gur & Wolf 2021, Generic attention-model explainability, eq. 5 and 6
    (arXiv:2103.15679).
    """

    rewritten = False
    maps = True

    def __call__(self, score: Score, image: Image) -> Raw:
        reading = read(score, image)
        layers = attention_layers(reading)
        weights = [reading.values[each.weights] for each in layers]

        def shifted(offsets: list[Array]) -> Array:
            known = {each.weights: offset for each, offset in zip(layers, offsets, strict=True)}
            return reading.graph.evaluate([image], [reading.score], known)[0]

        gradients = jax.grad(shifted)([jnp.zeros_like(w) for w in weights])
        start = relevance = jnp.eye(weights[0].shape[layers[0].keys], dtype=image.dtype)
        for each, w, gradient in zip(layers, weights, gradients, strict=True):
            relevance = relevance + each.by_head(jnp.maximum(w * gradient, 0)).mean(0) @ relevance
        return {"attention": read_out(relevance - start, image.shape)}
