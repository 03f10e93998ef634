"""A layer's channels, each weighed by the score of the image masked by it."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from cnnviz.attribution.methods.cams import Map
from cnnviz.attribution.methods.channels import ByChannel
from cnnviz.attribution.present import UPSAMPLING, scaled, upsampled
from cnnviz.attribution.shapes import method
from cnnviz.attribution.tokens import as_channels
from cnnviz.errors import InputError, check_known
from cnnviz.types import Array, Image, Key, PyTree, Score

FORMS = ("plain", "smooth", "integrated")


@method
class ScoreCAM(ByChannel):
    """ReLU of the channels' sum, each weighed by softmax_k S(x * M_k).

    M_k is the channel upsampled to the image's size and scaled to 0 to 1; the softmax is over a layer's channels.
    `mask_upsampling` is how a channel is upsampled ("bilinear_corners" as in pytorch-grad-cam). No gradient is taken;
    there is one forward pass per channel, of which `max_channels` limits the number: the softmax is over those that are
    tried (Faster Score-CAM). Wang et al. 2020, Score-CAM: score-weighted visual explanations
    (arXiv:1910.01279). Two other forms take the mean of `repeats` scores per channel: "smooth" adds Gaussian noise to
    the channel, of the deviation `noise` times its range (Wang et al. 2020, SS-CAM, arXiv:2006.14255; it needs a key),
    and "integrated" has S(x * M_k i/n) for i from 1 to n (Naidu et al. 2020, IS-CAM, arXiv:2010.03023).
    """

    mask_upsampling: str = "bilinear"
    form: str = "plain"
    repeats: int = 10
    noise: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        check_known("upsampling", self.mask_upsampling, UPSAMPLING)
        check_known("form of score_cam", self.form, FORMS)
        if self.repeats < 1 or self.noise < 0:
            raise InputError(
                f"repeats is at least 1 and noise not negative; they were {self.repeats} and {self.noise}."
            )

    @property
    def random(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it draws noise."""
        return self.form == "smooth"

    @property
    def cost(self) -> int:
        return 1 if self.form == "plain" else self.repeats

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        """The channel, and for each repetition its key and its number from 1 on."""
        keys = jax.vmap(lambda n: jax.random.fold_in(jax.random.fold_in(key, i), n))(jnp.arange(self.cost))
        return i, keys, jnp.arange(1, self.cost + 1)

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        activations, (which, *each) = score(image, {})[1], sample
        maps = {name: as_channels(activations[name], image.shape) for name in self.layers or ()}
        channel = self._channel(maps, which, image.shape[:-1])
        masked = lambda key, n: score(image * self._mask(channel, key, n)[..., None], {})[0]
        return jax.vmap(masked)(*each).mean() if self.form != "plain" else masked(*(one[0] for one in each))

    def _channel(self, maps: Mapping[str, Array], which: Array, sides: tuple[int, ...]) -> Map:
        """The values of one channel, at the image's size; its layer is one of several, of which each has its own."""
        places = self.channels_of(maps, which)
        values = {name: jnp.where(at < 0, 0, maps[name][..., at]) for name, at in places.items()}
        sized = [upsampled(one[..., None], sides, self.mask_upsampling) for one in values.values()]
        return jnp.concatenate(sized, -1).sum(-1)

    def _mask(self, channel: Array, key: Key, number: Array) -> Array:
        """The mask of one repetition."""
        if self.form == "smooth":
            spread = self.noise * (channel.max() - channel.min())
            return scaled(channel + spread * jax.random.normal(key, channel.shape, channel.dtype))
        return scaled(channel) * (number / self.repeats if self.form == "integrated" else 1)

    def weights(self, score: Array, found: Array) -> Array:
        return jax.nn.softmax(found)
