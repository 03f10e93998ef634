"""A network with no convolution: what the others are compared with."""

import flax.linen as nn

from cnnviz.models.cnn import glorot
from cnnviz.models.tap import tap
from cnnviz.types import Images, Logits


class DenseNetwork(nn.Module):
    """Flatten, dense 100, ReLU, dense."""

    classes: int = 10

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        x = x.reshape(len(x), -1)
        x = nn.Dense(100, kernel_init=glorot, name="dense1")(x)
        x = tap(self, "relu1", nn.relu(x))
        return nn.Dense(self.classes, kernel_init=glorot, name="logits")(x)
