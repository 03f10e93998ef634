"""The one seam between models and all that looks at them: any Flax model, Linen or NNX, as plain functions.

A model is traced once for each shape of images; its graph, in which every module's output and every sown value has a
name, is then what is computed from: a value that was not asked for is not computed, and an offset added to a named
value shifts all that comes after it, whoever wrote the model.

Every function takes `call`, extra arguments for the model's own call. Arguments that say "evaluation" under their usual
names (`train=False`, `deterministic=True`, ...) are filled in by the model's signature.
"""

from cnnviz.probe.capture import Adapter
from cnnviz.probe.folds import fold
from cnnviz.probe.network import network_of
from cnnviz.probe.nnx import from_nnx
from cnnviz.probe.read import NOTHING, Call, activations, as_names, check_images, logits, output_shape
from cnnviz.probe.score import score_of
from cnnviz.probe.table import Layer, layers
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS

__all__ = [
    "LOGITS",
    "NOTHING",
    "Adapter",
    "Call",
    "Layer",
    "activations",
    "as_names",
    "as_variables",
    "check_images",
    "fold",
    "from_nnx",
    "layers",
    "logits",
    "network_of",
    "output_shape",
    "score_of",
]
