"""Networks as ONNX, by jax2onnx."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz import probe
from cnnviz.errors import InputError, needs_extra
from cnnviz.graph import Graph
from cnnviz.graph.graph import Node
from cnnviz.graph.primitives import WINDOWS
from cnnviz.networks.export.called import called, described
from cnnviz.networks.net import Net

LOGGERS = ("jax2onnx", "onnx_ir")  # which list what they do not need


def write(net: Net, path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Writes a model with the input `images` and the output `outputs`, and the facts as its metadata.

    A model that needs to know how many images there are is written for one at a time. Raises InputError if jax2onnx is
    not installed, or has no ONNX for something that the network computes.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with needs_extra("onnx", f"{net.name} cannot be exported to ONNX"):
        import onnx  # pyright: ignore[reportMissingImports]
        from jax2onnx import to_onnx  # pyright: ignore[reportMissingImports]
    made, size = _made(net, partial(to_onnx, input_names=["images"], output_names=["outputs"]))
    for name, value in facts.items():
        made.metadata_props.add(key=name, value=str(value))
    onnx.save_model(made, path)  # pyright: ignore[reportAttributeAccessIssue]
    found = described(net)
    if size == 1:
        found = {side: {**what, "shape": [size, *what["shape"][1:]]} for side, what in found.items()}
    return {**found, "load": f"onnxruntime.InferenceSession({path.name!r}).run(None, {{'images': images}})[0]"}


def _made(net: Net, convert: Callable[..., Any]) -> tuple[Any, Any]:
    """The ONNX model, and how many images it takes: a symbol, or one where that is not possible."""
    found = called(net)
    one = jax.ShapeDtypeStruct((1, *net.image_shape), jnp.float32)
    fault = None
    for images in (found.images, one) if found.is_direct else (one,):
        try:
            return convert(_primitives(net, images), [images], model_name=net.name), images.shape[0]
        except Exception as error:  # of many kinds
            fault = error
    why = " ".join(str(fault).split())[:300]
    raise InputError(f"{net.name} cannot be expressed in ONNX by jax2onnx ({why}).") from fault


def _primitives(net: Net, images: jax.ShapeDtypeStruct) -> Callable[[Any], Any]:
    """The network as primitives alone, since jax2onnx puts code of its own in the place of Flax's while it traces."""
    graph, _ = Graph.of(partial(probe.evaluated, net.model, net.variables), images, opaque=lambda body: False)
    return lambda given: graph.evaluate([given], graph.outputs, apply=_applied)[0]


def _applied(node: Node, *arrays: Any) -> Sequence[Any]:
    """The node's outputs; windows slide over images without axes for the batch and the channels.

    jax2onnx makes of all axes axes that a window slides over, and ONNX Runtime pools along three at most.
    """
    if node.name not in WINDOWS or len(arrays[0].shape) < 4:
        return node.apply(*arrays)
    n, *sides, c = arrays[0].shape
    fields = {name: value[1:] for name, value in node.params.items() if isinstance(value, tuple)}
    fields = {name: ((0, 0) if name == "padding" else 1, *value[:-1]) for name, value in fields.items()}
    flat = jnp.moveaxis(arrays[0], -1, 1).reshape(n * c, *sides)
    pooled = node.equation.primitive.bind(flat, **{**node.params, **fields})
    return [jnp.moveaxis(pooled.reshape(n, c, *pooled.shape[1:]), 1, -1)]
