"""ConvNeXt: Liu et al., "A ConvNet for the 2020s", 2022, as in torchvision, whose weights fit."""

from functools import partial

import flax.linen as nn
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.models.depth import check_depth
from cnnviz.types import Array, Images, Logits

Conv = partial(nn.Conv, padding="VALID", kernel_init=nn.initializers.truncated_normal(0.02))
Dense = partial(nn.Dense, kernel_init=nn.initializers.truncated_normal(0.02))
Norm = partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False)


class ConvNeXtBlock(nn.Module):
    """A depthwise 7x7 convolution, LayerNorm, dense to four times the channels, GELU, dense back, added to the input.

    What is added is scaled by a learned factor per channel, and dropped, in training, for a share `drop` of the images.
    """

    drop: float = 0.0

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Float[Array, "n i j k"]:
        channels = x.shape[-1]
        y = Conv(channels, (7, 7), padding=3, feature_group_count=channels, name="depthwise")(x)
        y = Dense(4 * channels, name="expand")(Norm(name="norm")(y))
        y = Dense(channels, name="project")(nn.gelu(y, approximate=False))
        y = y * self.param("layer_scale", nn.initializers.constant(1e-6), (channels,))[None, None, None]
        return x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not train)(y)


class ConvNeXt(nn.Module):
    """A 4x4 convolution with stride 4, four stages of blocks, global average pooling, LayerNorm, dense.

    Maps images `[n h w c]` to logits `[n k]`. Between stages a 2x2 convolution halves the resolution and doubles the
    channels. `drop` is the last block's share of dropped images, from zero at the first. Raises InputError if the
    images are smaller than 32x32.
    """

    classes: int = 1000
    blocks: tuple[int, ...] = (3, 3, 9, 3)
    channels: int = 96
    drop: float = 0.1

    def __post_init__(self):
        check_depth("blocks", self.blocks)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        least, before = 2 ** (len(self.blocks) + 1), 0
        if min(x.shape[1:3]) < least:
            raise InputError(f"ConvNeXt needs images of at least {least}x{least}; it was given {x.shape[1:3]}.")
        x = Norm(name="norm1")(Conv(self.channels, (4, 4), 4, name="conv1")(x))
        for stage, blocks in enumerate(self.blocks, 1):
            if stage > 1:
                x = Norm(name=f"reduce{stage}_norm")(x)
                x = Conv(2 * x.shape[-1], (2, 2), 2, name=f"reduce{stage}")(x)
            for i in range(1, blocks + 1):
                drop = self.drop * before / max(sum(self.blocks) - 1, 1)
                x = ConvNeXtBlock(drop, name=f"stage{stage}_block{i}")(x, train=train)
                before += 1
        return Dense(self.classes, name="logits")(Norm(name="norm2")(x.mean(axis=(1, 2))))


ConvNeXtTiny = partial(ConvNeXt, blocks=(3, 3, 9, 3))
