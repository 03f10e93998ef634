"""MODELS: the Flax networks that `train.py --model` knows, each built from the number of classes."""

MODELS = {
    "cnn": "cnnviz.models.cnn:CNN",
    "resnet": "cnnviz.models.resnet:ResNet",
    "dense": "cnnviz.models.dense:DenseNetwork",
}
