"""MODELS: the Flax networks of `train.py --model`, each built from the number of classes."""

MODELS = {
    "cnn": "cnnviz.models.cnn:CNN",
    "resnet": "cnnviz.models.resnet:ResNet",
    "dense": "cnnviz.models.dense:DenseNetwork",
}
