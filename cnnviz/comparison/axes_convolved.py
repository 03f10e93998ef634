"""The axes of a convolution, also of a grouped and of a depthwise one."""

from dataclasses import replace

import numpy as np

from cnnviz.comparison.axes import Axes, Axis, Fixed, Ledger, Split, Units, distinct
from cnnviz.comparison.axis_moves import Step, unknown


def convolution(step: Step) -> list[Axes]:
    """The channels of the image are contracted with the kernel's inputs; the kernel's outputs are those of the result.

    Of a depthwise convolution, in which each channel has one output, the outputs are the channels of the image.
    """
    params, ledger = step.params, step.ledger
    if params["batch_group_count"] != 1 or len(step.given) != 2:
        return unknown(step)
    image, kernel, output = params["dimension_numbers"]
    images, weights = step.given
    for axes, spec in ((images, image), (weights, kernel)):
        for i in spec[2:]:
            ledger.fix(axes[i])
    found: list[Axis] = list(map(distinct, step.shape))
    found[output[0]] = images[image[0]]
    given = images[image[1]], weights[kernel[1]], weights[kernel[0]]
    groups = params["feature_group_count"]
    if groups == 1:
        ledger.contracted(*given[:2])
        found[output[1]] = given[2]
    else:
        found[output[1]] = _grouped(ledger, *given, groups)
    return [tuple(found)]


def _grouped(ledger: Ledger, channels: Axis, inputs: Axis, outputs: Axis, groups: int) -> Axis:
    """The outputs' axis of a grouped convolution, whose inputs and outputs stay in their group."""
    size = lambda axis: len(axis.ids) if isinstance(axis, Fixed) else axis.atoms.shape[-1]
    if size(channels) == groups == size(outputs):
        joined = ledger.joined([channels, outputs])
        ledger.even(outputs)
        return (
            replace(joined, parity=channels.parity)
            if isinstance(channels, Units) and isinstance(joined, Units)
            else joined
        )
    if size(channels) == groups:
        ledger.fix(channels)
    elif isinstance(inputs, Split) and inputs.atoms.shape[0] == groups:
        ledger.contracted(channels, Units(inputs.atoms.ravel(), inputs.parity))
        ledger.tell_apart(inputs, np.repeat(np.arange(groups), size(inputs)))
    elif isinstance(inputs, Units):
        ledger.contracted(channels, Units(np.tile(inputs.atoms, groups), inputs.parity))
    else:
        ledger.fix(channels)
        ledger.fix(inputs)
    if isinstance(outputs, Units):
        ledger.tell_apart(outputs, np.repeat(np.arange(groups), size(outputs) // groups))
        return outputs
    return ledger.fix(outputs)
