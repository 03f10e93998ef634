"""Networks that nobody made for cnnviz, each in Flax and in PyTorch with the same weights, for images of 28x28."""

# pyright: reportMissingImports=false

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.models.resnet import ResNet

Layers = tuple[tuple[Any, ...], ...]  # (kind, size, ...), the same for both libraries

NETWORKS: dict[str, Layers | None] = {
    "LeNet: 5x5, mean pooling, tanh": (
        *(("conv", 6, 5, 1, 2), ("tanh",), ("mean_pool",), ("conv", 16, 5, 1, 0), ("tanh",), ("mean_pool",)),
        *(("rows",), ("dense", 120), ("tanh",), ("dense", 84), ("tanh",), ("dense", 10)),
    ),
    "three convolutions, two pools": (
        *(("conv", 32, 3, 1, 1), ("relu",), ("max_pool",), ("conv", 64, 3, 1, 1), ("relu",), ("max_pool",)),
        *(("conv", 64, 3, 1, 1), ("relu",), ("rows",), ("dense", 64), ("relu",), ("dense", 10)),
    ),
    "VGG: pairs of convolutions with BatchNorm": (
        *(("conv", 32, 3, 1, 1), ("norm",), ("relu",), ("conv", 32, 3, 1, 1), ("norm",), ("relu",), ("max_pool",)),
        *(("conv", 64, 3, 1, 1), ("norm",), ("relu",), ("conv", 64, 3, 1, 1), ("norm",), ("relu",), ("max_pool",)),
        *(("rows",), ("dense", 128), ("relu",), ("dense", 10)),
    ),
    "convolutions with strides, no pools": (
        *(("conv", 32, 3, 2, 1), ("relu",), ("conv", 64, 3, 2, 1), ("relu",), ("conv", 128, 3, 2, 1), ("relu",)),
        *(("mean",), ("dense", 10)),
    ),
    "residual, BatchNorm": None,  # benchmarks/residual.py has its twin
}


class Network(nn.Module):
    layers: Layers

    @nn.compact
    def __call__(self, x):
        for i, (kind, *sizes) in enumerate(self.layers):
            x = self.layer(kind, f"{kind}{i}", *sizes)(x)
        return x

    def layer(self, kind: str, name: str, *sizes: int) -> Callable[[Any], Any]:
        match kind, *sizes:
            case "conv", channels, side, stride, padding:
                both = ((padding, padding), (padding, padding))
                return nn.Conv(channels, (side, side), (stride, stride), both, name=name)
            case "dense", size:
                return nn.Dense(size, name=name)
            case ("norm",):
                return nn.BatchNorm(use_running_average=True, name=name)
        return PLAIN[kind]


PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "relu": nn.relu,
    "tanh": jnp.tanh,
    "max_pool": partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2)),
    "mean_pool": partial(nn.avg_pool, window_shape=(2, 2), strides=(2, 2)),
    "mean": lambda x: x.mean((1, 2)),
    "rows": lambda x: x.reshape(len(x), -1),
}


def pair(layers: Layers | None) -> tuple[Any, Any, Any]:
    """The Flax model, its variables and the PyTorch network, for images of 28x28 with one channel."""
    model = ResNet() if layers is None else Network(layers)
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 28, 28, 1), np.float32))
    if layers is not None:
        return model, variables, in_torch(layers, variables["params"])
    from benchmarks.residual import Residual

    return model, variables, Residual(variables, 28).eval()


def in_torch(layers: Layers, params: Any) -> Any:
    import torch
    from torch import nn as torch_nn

    class Apply(torch_nn.Module):
        def __init__(self, function):
            super().__init__()
            self.forward = function

    simple = {
        "relu": torch_nn.ReLU,
        "tanh": torch_nn.Tanh,
        "max_pool": partial(torch_nn.MaxPool2d, 2),
        "mean_pool": partial(torch_nn.AvgPool2d, 2),
        "mean": lambda: Apply(lambda x: x.mean((2, 3))),
        "rows": lambda: Apply(lambda x: x.permute(0, 2, 3, 1).flatten(1)),  # as JAX has them
    }
    made = []
    for i, (kind, *sizes) in enumerate(layers):
        if kind in simple:
            made.append(simple[kind]())
        elif kind == "norm":
            made.append(torch_nn.BatchNorm2d(len(params[f"norm{i}"]["scale"])))  # both know no data yet
        else:
            kernel = np.asarray(params[f"{kind}{i}"]["kernel"])
            dense = kind == "dense"
            made.append(torch_nn.Linear(*kernel.shape) if dense else torch_nn.Conv2d(kernel.shape[2], *sizes))
            made[-1].weight.data = torch.from_numpy(kernel.transpose((1, 0) if dense else (3, 2, 0, 1)).copy())
            made[-1].bias.data.zero_()  # as Flax begins
    return torch_nn.Sequential(*made).eval()
