"""cnnviz's ResNet in PyTorch with the same weights; each ReLU and each sum is a module of its own, as hooks need it."""

# pyright: reportMissingImports=false

from typing import Any

import numpy as np
import torch
from torch import nn
from zennit.layer import Sum


class Convolution(nn.Sequential):
    """A convolution with padding as JAX's SAME has it, and its BatchNorm."""

    def __init__(self, params: Any, stats: Any, conv: str, norm: str, stride: int, side: int):
        kernel = np.asarray(params[conv]["kernel"])
        total = max((-(-side // stride) - 1) * stride + kernel.shape[0] - side, 0)
        low = total // 2
        even = low if 2 * low == total else 0  # PyTorch pads both sides alike
        convolution = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], stride, even, bias=False)
        batch_norm = nn.BatchNorm2d(kernel.shape[3])
        convolution.weight.data = _tensor(kernel.transpose(3, 2, 0, 1))
        batch_norm.weight.data, batch_norm.bias.data = _tensor(params[norm]["scale"]), _tensor(params[norm]["bias"])
        batch_norm.running_mean, batch_norm.running_var = _tensor(stats[norm]["mean"]), _tensor(stats[norm]["var"])
        padding = [] if 2 * low == total else [nn.ZeroPad2d((low, total - low, low, total - low))]
        super().__init__(*padding, convolution, batch_norm)


class Block(nn.Module):
    def __init__(self, params: Any, stats: Any, stride: int, side: int):
        super().__init__()
        self.first = Convolution(params, stats, "conv1", "norm1", stride, side)
        self.relu1 = nn.ReLU()
        self.second = Convolution(params, stats, "conv2", "norm2", 1, side // stride)
        has_shortcut = "shortcut" in params
        self.shortcut = Convolution(params, stats, "shortcut", "shortcut_norm", stride, side) if has_shortcut else None
        self.sum, self.relu2 = Sum(), nn.ReLU()

    def forward(self, x):
        short = x if self.shortcut is None else self.shortcut(x)
        return self.relu2(self.sum(torch.stack([short, self.second(self.relu1(self.first(x)))], -1)))


class Residual(nn.Module):
    """For images [n, c, side, side] in PyTorch's layout, of a ResNet with one block a stage."""

    def __init__(self, variables: Any, side: int):
        super().__init__()
        params, stats = variables["params"], variables["batch_stats"]
        self.stem, self.relu = Convolution(params, stats, "conv1", "norm1", 1, side), nn.ReLU()
        names = [f"stage{stage}_block1" for stage in (1, 2, 3)]
        sides = [(1, side), (2, side), (2, side // 2)]
        self.blocks = nn.Sequential(*(Block(params[n], stats[n], *s) for n, s in zip(names, sides, strict=True)))
        self.pool, self.rows = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        kernel = np.asarray(params["logits"]["kernel"])
        self.logits = nn.Linear(*kernel.shape)
        self.logits.weight.data, self.logits.bias.data = _tensor(kernel.T), _tensor(params["logits"]["bias"])

    def forward(self, x):
        return self.logits(self.rows(self.pool(self.blocks(self.relu(self.stem(x))))))


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array))
