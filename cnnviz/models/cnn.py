"""The book chapter's network: 333,526 parameters for 28x28x1 images and ten classes."""

import flax.linen as nn

from cnnviz.models.tap import tap
from cnnviz.types import Images, Logits

glorot = nn.initializers.glorot_uniform()


class CNN(nn.Module):
    """Conv 3x3x32, ReLU, max-pool, conv 3x3x64, ReLU, max-pool, dense 100, ReLU, dropout 0.4, dense.

    Kernels are initialized Glorot-uniform and biases to zero, as in Keras. Maps images `[n h w c]` to logits `[n k]`;
    of signals `[n t c]` and volumes `[n d h w c]` convolutions and pooling have as many sides, of the same lengths.
    `width` is the number of channels of the first convolution, of which the second has twice as many.
    """

    classes: int = 10
    dropout: float = 0.4
    width: int = 32
    hidden: int = 100

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        three, two = ((n,) * (x.ndim - 2) for n in (3, 2))
        x = nn.Conv(self.width, three, kernel_init=glorot, name="conv1")(x)
        x = tap(self, "relu1", nn.relu(x))
        x = tap(self, "pool1", nn.max_pool(x, two, strides=two))
        x = nn.Conv(2 * self.width, three, kernel_init=glorot, name="conv2")(x)
        x = tap(self, "relu2", nn.relu(x))
        x = tap(self, "pool2", nn.max_pool(x, two, strides=two))
        x = x.reshape(x.shape[0], -1)
        x = nn.Dense(self.hidden, kernel_init=glorot, name="dense1")(x)
        x = tap(self, "relu3", nn.relu(x))
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.classes, kernel_init=glorot, name="logits")(x)
