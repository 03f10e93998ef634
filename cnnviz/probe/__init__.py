"""The one seam between models and everything that looks at them: any Flax model, Linen or NNX, as plain functions.

A model is traced once for each shape of images. Everything is computed from its graph, in which each module's output,
each sown value and each operation that a person would name has a name (`probe.naming`): a value that is not asked for
is not computed, and an offset added to a named value changes everything computed from it, in any model. Layers are
asked for by name, pattern, kind or number (`probe.addressing`).

Images are one array `[n, ..., c]`: signals `[n, t, c]`, pictures `[n, h, w, c]`, volumes `[n, d, h, w, c]` or vectors
`[n, f]`; a model with several inputs takes a dict, tuple or list of arrays with one row per image, whose items go to
the arguments of its call (`capture.arguments_of`). Every function takes `call`, extra arguments for the model's call;
one with a row per image is given as `Rows(array)`. Arguments that select evaluation mode by their usual names
(`train=False`, `deterministic=True`, ...) are filled in from the model's signature. Where a model returns several
arrays, `output` names the one that the logits are (`outputs.logits_among`).
"""

from cnnviz.probe.addressing import find, find_one
from cnnviz.probe.calls import batch_logits, check_trainable, evaluated, initial_variables, training_logits
from cnnviz.probe.capture import Adapter
from cnnviz.probe.folds import fold, fold_readers, map_readers
from cnnviz.probe.inputs import Rows, check_images, first_row
from cnnviz.probe.network import network_of
from cnnviz.probe.nnx import from_nnx, nnx_model
from cnnviz.probe.one_output import OneOutput
from cnnviz.probe.read import activations, ending, logits, output_shape, products
from cnnviz.probe.reader import NOTHING, Call, Reader
from cnnviz.probe.score import Unit, check_unit, score_of
from cnnviz.probe.table import Layer, layers
from cnnviz.probe.variables import as_variables
from cnnviz.types import LOGITS

__all__ = [
    "LOGITS",
    "NOTHING",
    "Adapter",
    "Call",
    "Layer",
    "OneOutput",
    "Reader",
    "Rows",
    "Unit",
    "activations",
    "as_variables",
    "batch_logits",
    "check_images",
    "check_trainable",
    "check_unit",
    "ending",
    "evaluated",
    "find",
    "find_one",
    "first_row",
    "fold",
    "fold_readers",
    "from_nnx",
    "initial_variables",
    "layers",
    "logits",
    "map_readers",
    "network_of",
    "nnx_model",
    "output_shape",
    "products",
    "score_of",
    "training_logits",
]
