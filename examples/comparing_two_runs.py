# %% [markdown]
# # Comparing two runs
#
# Which of two networks is better, and what did they learn differently? This notebook trains two that differ in one
# thing, the width of their layers, and puts them beside each other.

# %%
import numpy as np
from IPython.display import display

import cnnviz
from cnnviz import kernels
from cnnviz.commands.train import main as train
from cnnviz.figures.histogram import histograms
from cnnviz.pictures.curves import Curves
from cnnviz.pictures.kernels import kernels_picture
from cnnviz.pictures.picture import Data, Picture
from cnnviz.pictures.predictions import Predictions

dataset = cnnviz.data.load("garments")
data = Data(lambda: dataset)

# %% [markdown]
# ## Train both
#
# The narrow network has 4 and 8 channels, the wide one 32 and 64. All else is the same: images, recipe, seed.

# %%
common = ["--dataset", "garments", "--limit", "4000", "--epochs", "3"]
train([*common, "--name", "narrow", "--model-options", '{"width": 4}'])
train([*common, "--name", "wide", "--model-options", '{"width": 32}'])
nets = [cnnviz.load("runs/narrow"), cnnviz.load("runs/wide")]

# %% [markdown]
# ## Loss and accuracy
#
# Look at the gap between the two lines of a network: a large gap means that it remembers its training images better
# than it understands new ones.

# %%
display(*Curves()(nets, data))

# %% [markdown]
# ## Test accuracy
#
# With n test images, an accuracy p has a standard error of about sqrt(p (1 - p) / n). A difference smaller than two
# standard errors may be chance.

# %%
labels, answers = dataset.test.labels, {}
for net in nets:
    logits = cnnviz.logits(net.model, net.variables, dataset.test.images, prepare=net.prepare)
    answers[net.name] = np.asarray(logits).argmax(-1)
    p = (answers[net.name] == labels).mean()
    error = np.sqrt(p * (1 - p) / len(labels))
    print(f"{net.name}: {kernels.parameter_count(net.variables):,} parameters, accuracy {p:.4f} ± {error:.4f}")

# %% [markdown]
# Both see the same images, so compare image by image. Only the images on which one is right and the other wrong say
# which is better.

# %%
right = {name: each == labels for name, each in answers.items()}
only_narrow = int((right["narrow"] & ~right["wide"]).sum())
only_wide = int((right["wide"] & ~right["narrow"]).sum())
print(f"only narrow is right: {only_narrow}, only wide is right: {only_wide}")
print(f"same answer: {(answers['narrow'] == answers['wide']).mean():.1%} of {len(labels):,} images")

# %% [markdown]
# ## Where each is wrong

# %%
display(*(Predictions()([net], data)[1] for net in nets))

# %% [markdown]
# ## The first kernels

# %%
display(*(kernels_picture(net, "conv1") for net in nets))

# %% [markdown]
# ## The weights of the second convolution
#
# A picture of your own: a name, a title, a caption, its numbers, and a function that draws them. The kernels of the
# wide network have more inputs, so their weights are smaller.

# %%
weights = {net.name: np.asarray(kernels(net.variables)["conv2"]) for net in nets}
title, caption = "conv2 of both networks, trained", "Each in ten bins of its own, and both as densities."
Picture("conv2", title, caption, weights, lambda: histograms(weights, title=title))
