"""VGG networks: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015.

As in torchvision, whose weights fit: the last feature maps are pooled to 7x7 from whatever size they have.
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.models.depth import check_depth
from cnnviz.types import Array, Images, Logits

Conv = partial(
    nn.Conv, kernel_size=(3, 3), padding=1, kernel_init=nn.initializers.variance_scaling(2, "fan_out", "normal")
)
Norm = partial(nn.BatchNorm, momentum=0.9, epsilon=1e-5)
Dense = partial(nn.Dense, kernel_init=nn.initializers.normal(0.01))


class VGG(nn.Module):
    """Five stages of 3x3 convolutions and max-pooling, then three dense layers: images `[n h w c]` to logits `[n k]`.

    `convolutions` has the number of convolutions in each stage, with 64, 128, 256, 512 and 512 channels; with `norm`
    each is followed by BatchNorm. Raises InputError if the images are smaller than 32x32.
    """

    classes: int = 1000
    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)
    norm: bool = False
    channels: int = 64
    hidden: int = 4096
    dropout: float = 0.5

    def __post_init__(self):
        check_depth("convolutions", self.convolutions)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        least = 2 ** len(self.convolutions)
        if min(x.shape[1:3]) < least:
            raise InputError(f"VGG needs images of at least {least}x{least}; it was given {x.shape[1:3]}.")
        for stage, convolutions in enumerate(self.convolutions, 1):
            for i in range(1, convolutions + 1):
                x = Conv(self.channels * min(2 ** (stage - 1), 8), name=f"conv{stage}_{i}")(x)
                if self.norm:
                    x = Norm(use_running_average=not train, name=f"norm{stage}_{i}")(x)
                x = nn.relu(x)
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = adaptive_mean(x, 7).reshape(x.shape[0], -1)
        for i in (1, 2):
            x = nn.relu(Dense(self.hidden, name=f"dense{i}")(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return Dense(self.classes, name="logits")(x)


def adaptive_mean(x: Images, size: int) -> Float[Array, "n i j c"]:
    """Means over `size` x `size` windows that cover the image and may overlap, as AdaptiveAvgPool2d of PyTorch."""
    if x.shape[1:3] == (size, size):
        return x
    rows, columns = (jnp.asarray(_windows(side, size), x.dtype) for side in x.shape[1:3])
    return jnp.einsum("nhwc,ih,jw->nijc", x, rows, columns)


def _windows(side: int, size: int) -> np.ndarray:
    """One row per window, `[size side]`: the weights of the pixels in its mean."""
    starts, ends = np.arange(size) * side // size, -(-np.arange(1, size + 1) * side // size)
    inside = (starts[:, None] <= np.arange(side)) & (np.arange(side) < ends[:, None])
    return inside / inside.sum(1, keepdims=True)


VGG11 = partial(VGG, convolutions=(1, 1, 2, 2, 2))
VGG13 = partial(VGG, convolutions=(2, 2, 2, 2, 2))
VGG16 = partial(VGG, convolutions=(2, 2, 3, 3, 3))
VGG19 = partial(VGG, convolutions=(2, 2, 4, 4, 4))
VGG11BN = partial(VGG11, norm=True)
VGG13BN = partial(VGG13, norm=True)
VGG16BN = partial(VGG16, norm=True)
VGG19BN = partial(VGG19, norm=True)
