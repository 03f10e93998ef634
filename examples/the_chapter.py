# %% [markdown]
# # What a convolutional network has learned
#
# This notebook follows section 8-3 of Park Haesun's book *Hon Gong Machine Learning + Deep Learning* (혼자 공부하는
# 머신러닝+딥러닝), "visualizing a convolutional network". The author's notebook is public: [rickiepark/hg-mldl,
# 8-3.ipynb](https://github.com/rickiepark/hg-mldl/blob/master/8-3.ipynb). You will see the same things, step by step:
# the network's layers, its weights before and after training, and its feature maps.
#
# **Two networks.** The author's trained network is a file,
# [best-cnn-model.h5](https://github.com/rickiepark/hg-mldl/raw/master/best-cnn-model.h5) (4 MB, MIT license). Put it
# into the folder of this notebook, and the notebook uses it. Without the file it uses a small network that it trains
# itself.

# %%
from pathlib import Path

import numpy as np
from IPython.display import display

import cnnviz
from cnnviz import kernels
from cnnviz.commands.train import main as train
from cnnviz.pictures.activations import Activations
from cnnviz.pictures.curves import Curves
from cnnviz.pictures.histograms import Histograms
from cnnviz.pictures.kernels import kernels_picture
from cnnviz.pictures.layers import Layers
from cnnviz.pictures.picture import Data
from cnnviz.pictures.predictions import Predictions
from cnnviz.pictures.responses import Responses

# %% [markdown]
# ## The images
#
# Fashion-MNIST has 60,000 small gray pictures of clothes for training and 10,000 for the test. If they are not on
# this computer and cannot be downloaded, we take `garments`: pictures of the same size and classes that cnnviz draws
# itself.

# %%
dataset, line = cnnviz.data.first_available("fashion_mnist,garments")
print(line)
print(dataset.train.images.shape, dataset.test.images.shape)
data = Data(lambda: dataset)

# %% [markdown]
# ## Train a network
#
# `classic` is the recipe of the chapter before: Adam, batches of 32, stop when the validation loss no longer falls.
# To be quick we use 6,000 images and three epochs. (In a terminal: `cnnviz train --recipe classic`, with all images.)

# %%
name = "chapter"
if not Path("runs", name).exists():
    train(["--dataset", dataset.name, "--recipe", "classic", "--limit", "6000", "--epochs", "3", "--name", name])
own = cnnviz.load(f"runs/{name}")

# %%
Curves()([own], data)[0]

# %% [markdown]
# From here on, `net` is the author's network, if its file is here, and else our own.

# %%
files = [path for path in ("best-cnn-model.h5", "best-cnn-model.keras") if Path(path).exists()]
net = cnnviz.load(files[0]) if files else own
print(net.name)

# %% [markdown]
# ## The layers
#
# Two convolutions, each with pooling after it, then two dense layers. The last column is a layer's number:
# `net.layers[0]` is the first layer.

# %%
print([layer.name for layer in net.layers])
Layers()([net], data)[0]

# %% [markdown]
# ## The weights of the first convolution
#
# A kernel is a small grid of weights. The first layer has 32 kernels of 3 x 3 weights, and one bias for each kernel.

# %%
first, second = list(kernels(net.variables, net.layers))[:2]
trained = np.asarray(net.variables["params"][first]["kernel"])
bias = np.asarray(net.variables["params"][first]["bias"])
print(trained.shape, bias.shape)

# %% [markdown]
# The mean of the weights is close to 0. The standard deviation says how far the weights are from the mean.

# %%
print(trained.mean(), trained.std())

# %% [markdown]
# ## Before training
#
# cnnviz keeps a network's weights from before the first step of training. A file of Keras does not have them, so a
# fresh set is drawn in the same way. They have the same shape and a smaller standard deviation.

# %%
untrained = np.asarray(net.untrained["params"][first]["kernel"])
print(untrained.shape)
print(untrained.mean(), untrained.std())

# %% [markdown]
# ## The histograms
#
# Each of the two upper panels has ten bars. The **untrained** weights are random numbers between two limits, and each
# number between them is equally likely: the bars are about equally high. The **trained** weights are different: most
# are close to zero, and a few are far away. Training has moved them.
#
# The lower panel puts both on one axis. The area under each curve is 1.

# %%
Histograms()([net], data)[0]

# %%
counts, edges = np.histogram(trained, 10)
print("trained  ", counts)
print("untrained", np.histogram(untrained, 10)[0])

# %% [markdown]
# ## The kernels as pictures
#
# Every square is one kernel with its nine weights: red is positive, blue is negative, white is zero. Look for
# patterns in the trained kernels: one side red and the other side blue finds an edge. The untrained kernels have no
# patterns, and pale colors, as their weights are small.

# %%
kernels_picture(net, first)

# %% [markdown]
# ## What goes in and what comes out
#
# The network takes pictures of 28 x 28 pixels with one channel (gray). A model that ends at an inner layer would give
# us the values of that layer; with cnnviz you ask for the layer by name, by number or by a pattern.

# %%
print(net.image_shape)
image = net.prepare(dataset.train.images[:1])
print(image.shape, float(image.min()), float(image.max()))

# %% [markdown]
# ## Feature maps
#
# The first training image, and what the network makes of it after the first and after the second convolution. A
# feature map is bright where its kernel finds its pattern. There are 32 maps of 28 x 28, then 64 maps of 14 x 14.

# %%
pictures = Activations(image="0", split="train")([net], data)
pictures[0]

# %%
pictures[1]

# %%
pictures[2]

# %%
for picture in pictures[1:]:
    print({layer: values.shape for layer, values in picture.numbers.items()})

# %% [markdown]
# Many maps of the second convolution look dark, because one color scale is used for all. With a scale for each map
# you see the faint ones too, but you can no longer compare their brightness.

# %%
Activations(image="0", split="train", scale="map")([net], data)[2]

# %% [markdown]
# ## A kernel beside its map
#
# Each row: the image, a kernel, and the map that the kernel makes of the image. The kernel moves over the image; at
# each place its nine weights are multiplied with the nine pixels below, and the sum is one value of the map. Then
# ReLU sets what is negative (blue) to zero. Compare a kernel with the edges that its map shows.

# %%
Responses(image="0", split="train")([net], data)[0]

# %% [markdown]
# ## How good is it?
#
# The probabilities of one image, and the test accuracy. In the table of mistakes (the confusion matrix) each row is a
# true class. Shirts are the hardest: they look like T-shirts, pullovers and coats.

# %%
found = Predictions()([net], data)
display(found[0], found[1])
print(f"test accuracy: {found[1].numbers['accuracy']:.4f}")

# %% [markdown]
# ## Your own network
#
# The same two pictures for the network that we trained above. After three short epochs its weights are closer to the
# untrained ones than the author's are.

# %%
display(Histograms()([own], data)[0], kernels_picture(own, list(kernels(own.variables, own.layers))[0]))
