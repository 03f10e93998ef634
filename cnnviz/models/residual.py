"""Residual networks for ImageNet: He et al., "Deep Residual Learning for Image Recognition", 2016, table 1.

As in torchvision, whose weights fit: a block halves the resolution in its 3x3 convolution, and padding is symmetric.
"""

from functools import partial
from typing import Any

import flax.linen as nn
from jaxtyping import Float

from cnnviz.models.depth import check_depth
from cnnviz.types import Array, Images, Logits

Conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.variance_scaling(2, "fan_out", "normal"))
AROUND: Any = ((1, 1), (1, 1))  # pixels; Flax says that it must be a word, and takes this too
Norm = partial(nn.BatchNorm, momentum=0.9, epsilon=1e-5)


class ResidualBlock(nn.Module):
    """Convolutions with BatchNorm, added to their input (through a 1x1 convolution where the shape changes).

    Two of 3x3, or with `bottleneck` one of 3x3 between two of 1x1, the last of which has four times the channels.
    """

    channels: int
    stride: int = 1
    bottleneck: bool = False

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Float[Array, "n i j k"]:
        norm = partial(Norm, use_running_average=not train)
        first, last = (1, 4) if self.bottleneck else (3, 1)
        strides = (1, self.stride) if self.bottleneck else (self.stride, 1)
        y = Conv(self.channels, (first, first), strides[0], padding=first // 2, name="conv1")(x)
        y = nn.relu(norm(name="norm1")(y))
        y = Conv(self.channels, (3, 3), strides[1], padding=1, name="conv2")(y)
        y = norm(name="norm2")(y)
        if self.bottleneck:
            y = Conv(self.channels * last, (1, 1), name="conv3")(nn.relu(y))
            y = norm(name="norm3")(y)
        if x.shape != y.shape:
            x = Conv(y.shape[-1], (1, 1), self.stride, name="shortcut")(x)
            x = norm(name="shortcut_norm")(x)
        return nn.relu(x + y)


class ResidualNetwork(nn.Module):
    """A 7x7 convolution, max-pooling, stages of residual blocks, global average pooling, dense.

    Maps images `[n h w c]` to logits `[n k]`. `blocks` has the number of blocks in each stage, each of which halves the
    resolution and doubles the channels of the one before; `channels` is the width of the first.
    """

    classes: int = 1000
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    bottleneck: bool = False
    channels: int = 64

    def __post_init__(self):
        check_depth("blocks", self.blocks)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        x = Conv(self.channels, (7, 7), 2, padding=3, name="conv1")(x)
        x = nn.relu(Norm(use_running_average=not train, name="norm1")(x))
        x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=AROUND)
        for stage, blocks in enumerate(self.blocks, 1):
            for i in range(1, blocks + 1):
                stride = 2 if stage > 1 and i == 1 else 1
                channels = self.channels * 2 ** (stage - 1)
                x = ResidualBlock(channels, stride, self.bottleneck, name=f"stage{stage}_block{i}")(x, train=train)
        return nn.Dense(self.classes, name="logits")(x.mean(axis=(1, 2)))


ResNet18 = partial(ResidualNetwork, blocks=(2, 2, 2, 2))
ResNet34 = partial(ResidualNetwork, blocks=(3, 4, 6, 3))
ResNet50 = partial(ResidualNetwork, blocks=(3, 4, 6, 3), bottleneck=True)
