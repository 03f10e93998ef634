"""Networks of inverted residuals: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018.

EfficientNet-Lite0 is one too: EfficientNet-B0 (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6, as
TensorFlow published it in 2020.
"""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
from jaxtyping import Float

from cnnviz.errors import InputError
from cnnviz.models.depth import check_depth
from cnnviz.types import Array, Images, Logits

Conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.variance_scaling(2, "fan_out", "normal"))


class Stage(NamedTuple):
    """Blocks of one width; the first has the stride, the others 1. `expansion` is that of the channels in a block."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int = 3


MOBILENET_V2 = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
EFFICIENTNET_LITE0 = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise one, a 1x1 to fewer; their input is added if the shape is equal.

    Each is followed by `norm`, and all but the last by ReLU6. `same` pads a stride of 2 as TensorFlow does, more at the
    bottom and on the right; otherwise padding is symmetric.
    """

    stage: Stage
    stride: int
    norm: Any
    same: bool = False

    @nn.compact
    def __call__(self, x: Images) -> Float[Array, "n i j k"]:
        kernel, hidden = self.stage.kernel, x.shape[-1] * self.stage.expansion
        padding, y = "SAME" if self.same else kernel // 2, x
        if self.stage.expansion > 1:
            y = nn.relu6(self.norm(name="expand_norm")(Conv(hidden, (1, 1), name="expand")(y)))
        depthwise = Conv(
            hidden, (kernel, kernel), self.stride, padding=padding, feature_group_count=hidden, name="depthwise"
        )
        y = nn.relu6(self.norm(name="depthwise_norm")(depthwise(y)))
        y = self.norm(name="project_norm")(Conv(self.stage.channels, (1, 1), name="project")(y))
        return x + y if x.shape == y.shape else y


class MobileNet(nn.Module):
    """A 3x3 convolution, stages of inverted residuals, a 1x1 convolution, global average pooling, dropout, dense.

    Maps images `[n h w c]` to logits `[n k]`. `same` is as in InvertedResidual.
    """

    classes: int = 1000
    stages: tuple[Any, ...] = MOBILENET_V2  # of Stage, or of tuples of its numbers
    same: bool = False
    momentum: float = 0.9
    epsilon: float = 1e-5
    channels: int = 32
    features: int = 1280
    dropout: float = 0.2

    def __post_init__(self):
        self.stages = tuple(map(_stage, self.stages))
        check_depth("blocks", tuple(stage.blocks for stage in self.stages))
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=self.momentum, epsilon=self.epsilon)
        x = Conv(self.channels, (3, 3), 2, padding="SAME" if self.same else 1, name="conv1")(x)
        x = nn.relu6(norm(name="norm1")(x))
        for number, stage in enumerate(self.stages, 1):
            for i in range(1, stage.blocks + 1):
                stride = stage.stride if i == 1 else 1
                x = InvertedResidual(stage, stride, norm, self.same, name=f"stage{number}_block{i}")(x)
        x = nn.relu6(norm(name="norm2")(Conv(self.features, (1, 1), name="conv2")(x)))
        x = nn.Dropout(self.dropout, deterministic=not train)(x.mean(axis=(1, 2)))
        return nn.Dense(self.classes, kernel_init=nn.initializers.normal(0.01), name="logits")(x)


def _stage(numbers: Any) -> Stage:
    """The stage that a tuple of numbers describes; raises InputError for anything else."""
    if (
        not isinstance(numbers, tuple)
        or not 4 <= len(numbers) <= 5
        or not all(type(n) is int and n > 0 for n in numbers)
    ):
        fields = ", ".join(Stage._fields)
        raise InputError(f"A stage is {fields}: 4 or 5 whole numbers from 1; it was {str(numbers)[:60]}.")
    return Stage(*numbers)


MobileNetV2 = partial(MobileNet, stages=MOBILENET_V2)
EfficientNetLite0 = partial(MobileNet, stages=EFFICIENTNET_LITE0, same=True, momentum=0.99, epsilon=1e-3)
