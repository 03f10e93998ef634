"""The default network in PyTorch with the same weights, which the benchmark and the comparison with others run."""

# pyright: reportMissingImports=false

from typing import Any

import numpy as np

from cnnviz import probe


def twin(model: Any, variables: Any) -> Any:
    """A `torch.nn.Sequential` of the two convolutions and two dense layers of the default network, or of its Keras
    file: conv1, relu1, pool1, conv2, relu2, pool2, rows, dense1, relu3, logits, for images [n, 1, 28, 28]."""
    import torch
    from torch import nn

    held = [layer.name for layer in probe.layers(model, variables, (28, 28, 1)) if layer.parameters]
    conv1, conv2, dense1, logits = (variables["params"][name] for name in held)
    parts = {
        "conv1": nn.Conv2d(1, 32, 3, padding=1),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(32, 64, 3, padding=1),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "rows": _flatten(nn),
        "dense1": nn.Linear(3136, 100),
        "relu3": nn.ReLU(),
        "logits": nn.Linear(100, 10),
    }
    with torch.no_grad():
        for name, held in (("conv1", conv1), ("conv2", conv2), ("dense1", dense1), ("logits", logits)):
            kernel = np.array(held["kernel"])
            axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            parts[name].weight.copy_(torch.from_numpy(kernel.transpose(axes).copy()))
            parts[name].bias.copy_(torch.from_numpy(np.array(held["bias"])))
    network = nn.Sequential()
    for name, part in parts.items():
        network.add_module(name, part)
    return network.eval()


def _flatten(nn: Any) -> Any:
    """All values on one axis as JAX has them, the channels of a pixel side by side."""

    class Rows(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1)

    return Rows()
