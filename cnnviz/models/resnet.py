"""A residual network in the style of those for CIFAR-10, for small images of any number of channels.

He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2: three stages of equal blocks, each stage
with half the resolution and twice the channels of the stage before.
"""

from functools import partial

import flax.linen as nn
from jaxtyping import Float

from cnnviz.models.depth import check_count
from cnnviz.models.tap import tap
from cnnviz.types import Array, Images, Logits

Conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.he_normal())
Norm = partial(nn.BatchNorm, momentum=0.9)


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm, added to their input (through a 1x1 convolution where the shape changes)."""

    channels: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Float[Array, "n i j k"]:
        strides = (self.stride, self.stride)
        y = Conv(self.channels, (3, 3), strides, name="conv1")(x)
        y = tap(self, "relu1", nn.relu(Norm(use_running_average=not train, name="norm1")(y)))
        y = Conv(self.channels, (3, 3), name="conv2")(y)
        y = Norm(use_running_average=not train, name="norm2")(y)
        if x.shape != y.shape:
            x = Conv(self.channels, (1, 1), strides, name="shortcut")(x)
            x = Norm(use_running_average=not train, name="shortcut_norm")(x)
        return tap(self, "relu2", nn.relu(x + y))


class ResNet(nn.Module):
    """A 3x3 convolution, three stages of `blocks` residual blocks, global average pooling, dense.

    Maps images `[n h w c]` to logits `[n k]`; `channels` is the width of the first stage.
    """

    classes: int = 10
    blocks: int = 1
    channels: int = 32

    def __post_init__(self):
        check_count("blocks", self.blocks, least=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        x = Conv(self.channels, (3, 3), name="conv1")(x)
        x = tap(self, "relu1", nn.relu(Norm(use_running_average=not train, name="norm1")(x)))
        for stage in range(3):
            for block in range(self.blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                name = f"stage{stage + 1}_block{block + 1}"
                x = Block(self.channels * 2**stage, stride, name=name)(x, train=train)
        x = tap(self, "pool", x.mean(axis=(1, 2)))
        return nn.Dense(self.classes, name="logits")(x)
