"""What a primitive gives in a box of its output, from its inputs in that box and around it.

A rule returns None where it does not apply: then the entire output is computed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.fast.box_values import InBox, Part
from cnnviz.graph import Node
from cnnviz.graph.boxes import Boxes
from cnnviz.graph.primitives import CUSTOM_CALLS, ELEMENTWISE, IDENTITIES, REDUCTIONS
from cnnviz.types import Array


def _bound(node: Node, *arrays: Any, **changed: Any) -> Array:
    """The node's primitive of these arrays, with some parameters changed."""
    primitive = node.equation.primitive
    return primitive.bind(*arrays, **{**primitive.get_bind_params(node.equation.params), **changed})


def _pointwise(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    return _bound(node, *(box.at(found, to) for found in given))


def _call(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    """A custom call whose inside is elementwise."""
    body = node.body
    if body is None or any(inside.name not in ELEMENTWISE for inside in body.nodes):
        return None
    values = [box.at(found, to) for found in given]
    return body.evaluate(values, body.outputs, apply=lambda inside, *arrays: [_bound(inside, *arrays)])[0]


def _convolution(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    params, kernel = node.params, node.inputs[1]
    (images, kernels, outputs) = params["dimension_numbers"]
    if isinstance(given[1], Part) or params["batch_group_count"] != 1 or set(params["lhs_dilation"]) != {1}:
        return None
    places = [outputs[2:].index(axis) for axis in to.axes]
    reach = [params["rhs_dilation"][p] * (kernel.shape[kernels[2 + p]] - 1) for p in places]
    strides, pads = [params["window_strides"][p] for p in places], [params["padding"][p][0] for p in places]
    around = _around(box, given[0], [images[2 + p] for p in places], to, strides, pads, reach, 0.0)
    padding = [(0, 0) if p in places else sides for p, sides in enumerate(params["padding"])]
    return _bound(node, around, given[1], padding=tuple(padding))


def _pooling(fill: float) -> "Rule":
    def rule(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
        p = node.params
        if set(p["base_dilation"]) != {1} or not jnp.issubdtype(node.inputs[0].dtype, jnp.floating):
            return None
        reach = [p["window_dilation"][a] * (p["window_dimensions"][a] - 1) for a in to.axes]
        strides, pads = [p["window_strides"][a] for a in to.axes], [p["padding"][a][0] for a in to.axes]
        around = _around(box, given[0], to.axes, to, strides, pads, reach, fill)
        return _bound(node, around, padding=tuple((0, 0) if a in to.axes else s for a, s in enumerate(p["padding"])))

    return rule


def _around(
    box: InBox,
    found: Any,
    axes: Sequence[int],
    to: Boxes,
    strides: Sequence[int],
    before: Sequence[int],
    reach: Sequence[int],
    fill: float,
) -> Array:
    """What the values in a box of the output read: the indices `stride*i - before .. stride*i - before + reach`."""
    first = to.starts * np.array(strides) - np.array(before)
    sizes = [step * (size - 1) + r + 1 for step, size, r in zip(strides, to.sizes, reach, strict=True)]
    return box.read(found, axes, first, sizes, fill)


def _broadcast(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    dimensions = node.params["broadcast_dimensions"]
    part = box.moved(given[0], [dimensions.index(axis) for axis in to.axes], to)
    return _bound(node, part, shape=to.sized(node.outputs[0].shape))


def _reshape(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    axes = given[0].boxes.axes
    shape = node.outputs[0].shape
    if any(given[0].whole.shape[a] != shape[b] for a, b in zip(axes, to.axes, strict=True)):
        return None
    return box.moved(given[0], axes, to).reshape(to.sized(shape))


def _squeeze(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    return _bound(node, box.moved(given[0], given[0].boxes.axes, to))


def _transpose(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    return _bound(node, box.moved(given[0], [node.params["permutation"][axis] for axis in to.axes], to))


def _product(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    """A product with weights over the channels."""
    (place,) = [i for i, found in enumerate(given) if isinstance(found, Part)][:1]
    along = {*given[place].boxes.axes}.intersection(node.params["dimension_numbers"][1][place])
    if isinstance(given[1 - place], Part) or along:  # weights that differ between places
        return None
    values = [box.moved(found, found.boxes.axes, to) if isinstance(found, Part) else found for found in given]
    return _bound(node, *values)


def _padding(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    config = node.params["padding_config"]
    low = np.array([config[axis][0] for axis in to.axes])
    if isinstance(given[1], Part):
        return None
    part = box.read(given[0], to.axes, to.starts - low, to.sizes, given[1])
    return jax.lax.pad(part, given[1], [(0, 0, 0) if a in to.axes else tuple(c) for a, c in enumerate(config)])


def _slice(box: InBox, node: Node, given: Sequence[Any], to: Boxes) -> Array | None:
    p, shape = node.params, list(given[0].whole.shape)
    strides = list(p["strides"] or [1] * len(shape))
    steps, begin = ([each[axis] for axis in to.axes] for each in (strides, p["start_indices"]))
    part = _around(box, given[0], to.axes, to, steps, [-at for at in begin], [0] * len(to.axes), 0.0)
    starts, ends = list(p["start_indices"]), list(p["limit_indices"])
    for axis in to.axes:
        starts[axis], ends[axis] = 0, part.shape[axis]
    return jax.lax.slice(part, starts, ends, strides)


Rule = Callable[[InBox, Node, Sequence[Any], Boxes], Array | None]
RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE | IDENTITIES, _pointwise),
    **dict.fromkeys(CUSTOM_CALLS, _call),
    "conv_general_dilated": _convolution,
    "reduce_window_max": _pooling(-np.inf),
    "reduce_window_sum": _pooling(0.0),
    **dict.fromkeys(REDUCTIONS | {"squeeze"}, _squeeze),
    "concatenate": _pointwise,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "transpose": _transpose,
    "dot_general": _product,
    "pad": _padding,
    "slice": _slice,
}
