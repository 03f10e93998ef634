"""A network without convolutions, as a baseline for the others."""

import flax.linen as nn

from cnnviz.models.cnn import glorot
from cnnviz.models.tap import tap
from cnnviz.types import Images, Logits


class DenseNetwork(nn.Module):
    """Flatten, dense 100, ReLU, dense: images `[n h w c]` to logits `[n k]`."""

    classes: int = 10

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        x = x.reshape(len(x), -1)
        x = nn.Dense(100, kernel_init=glorot, name="dense1")(x)
        x = tap(self, "relu1", nn.relu(x))
        return nn.Dense(self.classes, kernel_init=glorot, name="logits")(x)
