"""Weights and images that NumPy draws from a name, so that the goldens of large networks hold only their logits."""

import zlib

import numpy as np


def weight(name, shape, gain=1.0):
    """An array of a state dict; `gain` is that of normalizations, to be such that values neither vanish nor explode."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.array(7)
    if name.endswith("running_var"):
        values = draw.uniform(0.5, 1.5, shape)
    elif len(shape) > 1:
        values = draw.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        values = draw.uniform(0.6, 1.4, shape) * gain
    else:
        values = draw.uniform(-0.3, 0.3, shape)
    return values.astype(np.float32)


def images(size):
    """Two color images, channels last."""
    return np.random.default_rng(size).normal(size=(2, size, size, 3)).astype(np.float32)
