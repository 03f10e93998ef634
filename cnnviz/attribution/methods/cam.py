"""A layer's channels, weighed by the last dense layer's weights of their means."""

from cnnviz.attribution.layers import after
from cnnviz.attribution.methods.cams import CAM as Base
from cnnviz.attribution.methods.cams import Channels, over_places
from cnnviz.attribution.shapes import Raw, at_layers, method
from cnnviz.errors import InputError
from cnnviz.graph.linearity import Part, is_affine, unlike
from cnnviz.graph.operations import called
from cnnviz.graph.primitives import IDENTITIES, MOVES
from cnnviz.types import Array, Image, Score


@method
class CAM(Base):
    """The channels' sum, each weighed by the class's weight of its mean over places: sum_k w_k A_k.

    It is defined for a network in which only the mean over all places and one dense layer follow the layer, which is
    checked; the map's mean plus the bias is the logit. Zhou et al. 2016, Learning deep features for discriminative
    localization, eq. 2 (arXiv:1512.04150).
    """

    relu: bool = False

    rewritten = False  # so that an error names the operation that the model has

    def __call__(self, score: Score, image: Image) -> Raw:
        activations, _ = at_layers(score, image, self.layers or ())
        for name, values in activations.items():
            check_head(name, after(score, image, {name: values}))
        return super().__call__(score, image)

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        return gradient.sum(over_places(gradient))


def check_head(layer: str, parts: list[Part]) -> None:
    """Raises InputError unless a mean over its places and then a linear layer follow the layer."""
    if not parts:
        raise InputError(f"The score does not depend on {layer!r}; cam needs the layer before the mean over places.")
    wrong = unlike(parts, is_affine)
    for part in parts:
        if part.node.name in ("reduce_sum", "reduce_window_sum"):
            break
        if part.node.name not in IDENTITIES | MOVES | {"add", "mul", "div"} or part.node.name == "reshape":
            wrong = (*wrong, part.node.name)
    if wrong:
        place = next(part.node.place for part in parts if part.node.name == wrong[0])
        raise InputError(
            f"cam needs a network that goes from {layer!r} through the mean over places to one dense layer; here "
            f"{called(wrong[0])} (in {place}) comes between. grad_cam takes any network."
        )
