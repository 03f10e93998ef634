"""A layer's channels by the weights that the last dense layer gives their means."""

import jax.numpy as jnp

from cnnviz.attribution.layers import after
from cnnviz.attribution.methods.cams import CAM as Base
from cnnviz.attribution.methods.cams import Channels, Map
from cnnviz.attribution.shapes import Raw, at_layers, method
from cnnviz.errors import InputError
from cnnviz.graph.linearity import LINEAR, SHAPE_ONLY, Part, unlike
from cnnviz.types import Image, Score


@method
class CAM(Base):
    """The channels' sum, each weighed by the class's weight of its mean over places: sum_k w_k A_k.

    It holds for a network that goes from the layer through the mean over all places to one dense layer, which is
    checked; its mean, with the bias, is the logit. Zhou et al. 2016, Learning deep features for discriminative
    localization, eq. 2 (arXiv:1512.04150).
    """

    relu: bool = False

    rewritten = False  # so that what stands in its way has the name that the model gave it

    def __call__(self, score: Score, image: Image) -> Raw:
        activations, _ = at_layers(score, image, self.layers or ())
        for name, values in activations.items():
            check_head(name, after(score, image, {name: values}))
        return super().__call__(score, image)

    def cam(self, activation: Channels, gradient: Channels) -> Map:
        return jnp.einsum("hwc,c->hw", activation, gradient.sum((0, 1)))


def check_head(layer: str, parts: list[Part]) -> None:
    """An InputError where what follows the layer is not a mean over its places and then linear."""
    if not parts:
        raise InputError(f"Nothing of the score comes from {layer!r}; cam needs the layer before the mean over places.")
    wrong = unlike(parts, LINEAR)
    for part in parts:
        if part.node.name in ("reduce_sum", "reduce_window_sum"):
            break
        if part.node.name not in SHAPE_ONLY | {"add", "mul", "div"} or part.node.name == "reshape":
            wrong = (*wrong, part.node.name)
    if wrong:
        raise InputError(
            f"cam needs a network that goes from {layer!r} through the mean over places to one dense layer; here "
            f"{wrong[0]} comes between. grad_cam takes any network."
        )
