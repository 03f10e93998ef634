"""Whether a model's first layers make usual values of pixels from 0 to 255, which then go in as they are."""

import math
from typing import Any

import flax.linen as nn
import numpy as np

from cnnviz.interop.linen.graph import Graph, Ref
from cnnviz.interop.linen.merging import Arithmetic
from cnnviz.interop.linen.normalization import Normalization, Rescaling
from cnnviz.interop.linen.regularization import Dropout, Identity
from cnnviz.interop.linen.reshaping import CenterCrop, Resizing

FACTOR = 0.1  # a first layer that makes values so much smaller takes pixels; others take values of 0 to 1 or -1 to 1
MEAN, DEVIATION = 2.0, 1.5  # of data on 0 to 1 or -1 to 1, both are smaller


def takes_pixels(layer: nn.Module) -> bool | None:
    """Whether a layer is made for values from 0 to 255; None if it changes nothing, so that the next layer decides."""
    match layer:
        case Graph():
            return _at(layer, (0, 0))
        case Rescaling():
            return max(map(abs, layer.scale)) < FACTOR
        case Arithmetic():
            return _divides(layer)
        case Normalization():
            deviation = math.sqrt(max(layer.variance, default=0))
            return not layer.invert and (max(layer.mean, default=0) > MEAN or deviation > DEVIATION)
        case Identity() | Dropout() | CenterCrop() | Resizing():
            return None
    return False


def _at(graph: Graph, place: Ref) -> bool | None:
    """What the layers say that read the value at this place; None if that is the graph's output."""
    layers = dict(graph.layers)
    for i, call in enumerate(graph.calls, len(graph.inputs)):
        if place in call.reads:
            said = takes_pixels(layers[call.layer])
            return _at(graph, (i, 0)) if said is None else said
    return None


def _divides(layer: Arithmetic) -> bool:
    """Whether an operation multiplies values by a small number or divides them by a large one."""
    first, second = map(_of_channels, layer.constants)
    match layer.function, first, second:
        case ("multiply", float(factor), None) | ("multiply", None, float(factor)):
            return abs(factor) < FACTOR
        case "divide", None, float(divisor):
            return abs(divisor) > 1 / FACTOR
        case "subtract", None, float(mean):
            return mean > MEAN
    return False


def _of_channels(constant: Any) -> float | None:
    """The mean of an array's numbers, as of one for each channel; a number or None stays."""
    return float(np.mean(constant)) if isinstance(constant, tuple) else constant
