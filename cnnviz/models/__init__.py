"""MODELS: the Flax networks of `train.py --model`, each built from the number of classes.

An entry is a path `module:Class`, or a class of your own: `MODELS["mine"] = Net`. Those from `vgg11` on are those of
torchvision and timm, whose weights fit them; `cnnviz.models.imagenet` says which images such weights expect.
"""

from typing import Any

MODELS: dict[str, Any] = {
    "cnn": "cnnviz.models.cnn:CNN",
    "resnet": "cnnviz.models.resnet:ResNet",
    "dense": "cnnviz.models.dense:DenseNetwork",
    "vgg11": "cnnviz.models.vgg:VGG11",
    "vgg13": "cnnviz.models.vgg:VGG13",
    "vgg16": "cnnviz.models.vgg:VGG16",
    "vgg19": "cnnviz.models.vgg:VGG19",
    "vgg11_bn": "cnnviz.models.vgg:VGG11BN",
    "vgg13_bn": "cnnviz.models.vgg:VGG13BN",
    "vgg16_bn": "cnnviz.models.vgg:VGG16BN",
    "vgg19_bn": "cnnviz.models.vgg:VGG19BN",
    "resnet18": "cnnviz.models.residual:ResNet18",
    "resnet34": "cnnviz.models.residual:ResNet34",
    "resnet50": "cnnviz.models.residual:ResNet50",
    "mobilenet_v2": "cnnviz.models.mobilenet:MobileNetV2",
    "efficientnet_lite0": "cnnviz.models.mobilenet:EfficientNetLite0",
    "convnext_tiny": "cnnviz.models.convnext:ConvNeXtTiny",
}
