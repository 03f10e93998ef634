"""A layer's channels, each weighed by how often it is far above its mean."""

from cnnviz.attribution.methods.cams import CAM, Channels, over_places
from cnnviz.attribution.shapes import method
from cnnviz.types import Array


@method
class FEM(CAM):
    """The channels' sum, each weighed by the share of places where it exceeds its mean by `deviations` deviations.

    Mean and standard deviation are over the channel's places. It does not depend on the score. Fuad et al. 2020,
    Features understanding in 3D CNNs for actions recognition in video (doi:10.1109/IPTA50016.2020.9286629), as in
    pytorch-grad-cam.
    """

    deviations: float = 2.0

    def weights(self, activation: Channels, gradient: Channels) -> Array:
        over = over_places(activation)
        threshold = activation.mean(over, keepdims=True) + self.deviations * activation.std(over, keepdims=True)
        return (activation > threshold).astype(activation.dtype).mean(over)
