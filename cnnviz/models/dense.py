"""A network without convolutions, as a baseline for the others."""

import flax.linen as nn

from cnnviz.models.cnn import glorot
from cnnviz.models.depth import check_count
from cnnviz.models.tap import tap
from cnnviz.types import Images, Logits


class DenseNetwork(nn.Module):
    """Flatten, `depth` times dense `width` and ReLU, dense: images `[n *sides c]` to logits `[n k]`."""

    classes: int = 10
    width: int = 100
    depth: int = 1

    def __post_init__(self):
        check_count("depth", self.depth, least=0)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Logits:
        x = x.reshape(x.shape[0], -1)
        for i in range(1, self.depth + 1):
            x = nn.Dense(self.width, kernel_init=glorot, name=f"dense{i}")(x)
            x = tap(self, f"relu{i}", nn.relu(x))
        return nn.Dense(self.classes, kernel_init=glorot, name="logits")(x)
