"""What images published weights of the models expect: those that were trained on ImageNet, by the model's name.

An entry has `image_shape`, and the fields of `networks.Prepare` that turn uint8 RGB images into the network's inputs.
"""

from collections.abc import Mapping
from typing import Any

# the mean and deviation of ImageNet's colors, which torchvision and timm normalize by
COLORS = {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
# (pixel - 127) / 128, TensorFlow's for networks that run in integers
INTEGERS = {"scale": 1.0, "mean": (127.0,) * 3, "deviation": (128.0,) * 3}

NAMES = (
    "vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn resnet18 resnet34 resnet50 mobilenet_v2 convnext_tiny"
)
EXPECTED: Mapping[str, Mapping[str, Any]] = {
    **{name: {"image_shape": (224, 224, 3), **COLORS} for name in NAMES.split()},
    "efficientnet_lite0": {"image_shape": (224, 224, 3), **INTEGERS},
}
# What the names of published weights leave open.
NOTES: Mapping[str, str] = {
    "efficientnet_lite0": (
        "the weights are read as those that TensorFlow trained; timm's efficientnet_lite0, without tf_, has the same "
        """names, and needs --model-options '{"same": false, "epsilon": 1e-5}'"""
    ),
}
