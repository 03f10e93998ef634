"""MODELS: the Flax networks of `train.py --model`, each built from the number of classes.

An entry is a path `module:Class`, or a class of your own: `MODELS["mine"] = Net`.
"""

from typing import Any

MODELS: dict[str, Any] = {
    "cnn": "cnnviz.models.cnn:CNN",
    "resnet": "cnnviz.models.resnet:ResNet",
    "dense": "cnnviz.models.dense:DenseNetwork",
}
