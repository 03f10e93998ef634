"""Images per second of the same networks in PyTorch, on the accelerator that PyTorch finds."""

# pyright: reportMissingImports=false

from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import NETWORKS, Row, Sizes, pixels, rows, timed


def torch_training(network: str, batch: int, precision: str, compiled: bool, sizes: Sizes) -> Row:
    """The usual loop with channels last and the fused Adam; float32 and tensorfloat32 as PyTorch's switches say."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high" if precision == "tensorfloat32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tensorfloat32"
    model, shape = _network(network)
    model = model.to(device, memory_format=torch.channels_last).train()
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7, fused=True)
    count = rows(sizes, batch)
    drawn, labels = (torch.from_numpy(array).to(device) for array in pixels(count, shape))
    labels, images = labels.long(), drawn.permute(0, 3, 1, 2)
    low = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")

    def run() -> Any:
        for at in torch.randperm(count, device=device).split(batch):
            batch_of = (images[at].float() / 255).contiguous(memory_format=torch.channels_last)
            with low:
                loss = torch.nn.functional.cross_entropy(forward(batch_of), labels[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return None

    found = timed(run, sizes, wait=lambda _: torch.cuda.synchronize() if device.type == "cuda" else None)
    return {"images/s": count / found.pop("seconds"), **found, "version": f"PyTorch {torch.__version__} on {device}"}


def _network(name: str) -> tuple[Any, tuple[int, int, int]]:
    """The twin of cnnviz's network, and its images' shape."""
    import torch
    from torch import nn

    model, shape = NETWORKS[name]
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, *shape), np.float32))
    if name == "resnet":
        from benchmarks.residual import Residual

        return Residual(variables, shape[0]), shape
    from benchmarks.twin import twin

    layers = list(twin(model, variables))
    return nn.Sequential(*layers[:-1], torch.nn.Dropout(0.4), layers[-1]), shape
