# %% [markdown]
# # Your own network
#
# cnnviz looks into any Flax network. This notebook writes a small one, trains it, and looks at what it has learned.
# Nothing in the network is there for cnnviz: no names, no hooks.

# %%
import flax.linen as nn
import numpy as np
from IPython.display import display

import cnnviz
from cnnviz.commands.train import main as train
from cnnviz.models import MODELS
from cnnviz.pictures.activations import Activations
from cnnviz.pictures.attribute import Attributions
from cnnviz.pictures.histograms import Histograms
from cnnviz.pictures.kernels import Kernels
from cnnviz.pictures.layers import Layers
from cnnviz.pictures.picture import Data
from cnnviz.pictures.predictions import Predictions
from cnnviz.pictures.responses import Responses


class Small(nn.Module):
    """Two convolutions with batch normalization, a mean over all places, and one dense layer."""

    classes: int
    width: int = 16

    @nn.compact
    def __call__(self, x, train: bool = False):
        for channels in (self.width, 2 * self.width):
            x = nn.Conv(channels, (5, 5))(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        return nn.Dense(self.classes)(x.mean((1, 2)))


# %% [markdown]
# ## Train it
#
# One line gives the network a name; then it is trained like the networks that come with cnnviz. `garments` are
# pictures of clothes that cnnviz draws itself, so nothing has to be downloaded. (In a terminal, with the class in a
# file `net.py`: `cnnviz train --model net.py:Small`.)

# %%
MODELS["small"] = Small
train(["--dataset", "garments", "--model", "small", "--limit", "5000", "--epochs", "4", "--name", "small"])
net = cnnviz.load("runs/small")
dataset = cnnviz.data.load("garments")
data = Data(lambda: dataset)

# %% [markdown]
# ## Its layers
#
# Every layer and every operation has a name, although we gave none: `Conv_0`, then `BatchNorm_0`, then `relu_0`. You
# can ask for a layer by its name, by its number (`0`, or `-1` for the last), by a pattern (`Conv*`), or for several
# with commas.

# %%
Layers()([net], data)[0]

# %%
print([layer.name for layer in net.find("Conv*, -1")])

# %% [markdown]
# ## Its kernels
#
# The kernels of the first layer, and the weights before and after training.

# %%
display(*Kernels(layer="Conv_0")([net], data), *Histograms(layer="0")([net], data))

# %% [markdown]
# ## What it makes of an image
#
# The map of a kernel before and after batch normalization and ReLU; then all maps of the second ReLU.

# %%
display(*Responses(image="3", channels="0:4")([net], data), Activations(image="3", layer="relu_1")([net], data)[1])

# %% [markdown]
# The same values as arrays, for your own pictures or tables:

# %%
images = net.prepare(dataset.test.images[:100])
values = cnnviz.activations(net.model, net.variables, images, "relu_*")
for name, each in values.items():
    silent = float(np.mean(np.asarray(each).max((0, 1, 2)) <= 0))
    print(f"{name}: {each.shape}, {silent:.0%} of the channels are zero for all 100 images")

# %% [markdown]
# ## What its answers rest on
#
# Red pixels speak for the class that the network names, blue ones against it; Grad-CAM marks the places that the last
# convolution used.

# %%
Attributions(images="0:4")([net], data)[0]

# %% [markdown]
# ## Where it is wrong

# %%
display(*Predictions()([net], data)[1:])
