"""Calls of a model that are not readings: drawing its first variables, and its output while it is trained."""

from dataclasses import fields
from functools import partial
from typing import Any

import flax.linen as nn
import jax

from cnnviz.errors import InputError
from cnnviz.graph import Graph
from cnnviz.graph.softmax import logits_of
from cnnviz.probe.capture import (
    EVALUATION,
    Adapter,
    arguments_of,
    check_model,
    in_evaluation,
    training_arguments_of,
)
from cnnviz.probe.outputs import logits_among, named_outputs
from cnnviz.probe.reader import NOTHING
from cnnviz.probe.refused import with_numbers_known
from cnnviz.probe.trace import trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Array, Images, Key, Logits, PyTree, Variables, VariablesLike

TEMPORARY = ("intermediates", "perturbations")  # collections of values that a call leaves behind


def initial_variables(model: Any, key: Key, images: PyTree) -> dict[str, PyTree]:
    """The model's variables before training, drawn from the key, for images of this shape; to be compiled."""
    check_model(model)
    if isinstance(model, Adapter):
        return model.init(key, images)
    by_place, by_name = arguments_of(model.__call__, images, NOTHING)
    drawn = with_numbers_known(lambda: model.init(key, *by_place, **by_name))
    return {name: tree for name, tree in drawn.items() if name not in TEMPORARY}


def check_trainable(variables: Variables) -> None:
    """Raises InputError if the variables have no parameters."""
    if not jax.tree.leaves(variables.get("params", {})):
        raise InputError("The model has no parameters that could be trained.")


def batch_logits(model: Any, variables: Variables, images: Images) -> Logits:
    """The logits of a batch in evaluation mode, for use inside a compiled function."""
    traced = trace(model, variables, images, NOTHING)
    return traced.compute(variables, images, NOTHING, [traced.logits])[0]


def evaluated(model: Any, variables: VariablesLike, images: PyTree) -> Array:
    """The model's own output in evaluation mode, after the softmax that it may end in; of several, that of the logits.

    The call is neither labelled nor marked, and the images may have a symbol for their number.
    """
    check_model(model)
    variables = as_variables(variables)
    if isinstance(model, Adapter):
        output = model.apply(variables, images)
    else:
        kept = {name: tree for name, tree in variables.items() if name not in TEMPORARY}
        by_place, by_name = arguments_of(model.__call__, images, NOTHING)
        call = partial(nn.Module.apply, in_evaluation(model), kept, *by_place, **by_name)
        output = with_numbers_known(call)
    outputs = named_outputs(output)
    return outputs[logits_among(outputs, None)]


def training_logits(model: Any, variables: Variables, images: Images, key: Key) -> tuple[Logits, PyTree]:
    """The logits of a batch in training mode, with dropout drawn from the key, and all other collections.

    These are what the call makes of BatchNorm's statistics and of collections of the model's own. Of several outputs
    only the logits (`outputs.logits_among`) are returned. The output of a model that ends in a softmax is replaced by
    the logits before it.
    """
    function = partial(_training_output, model)
    traced = trace(model, variables, images, NOTHING)
    if traced.logits is traced.outputs[logits_among(traced.outputs, None)]:
        return function(variables, images, key)
    graph, tree = Graph.of(function, variables, images, key)
    wanted = [logits_of(graph, graph.outputs[0]), *graph.outputs[1:]]
    return jax.tree.unflatten(tree, graph.evaluate(jax.tree.leaves((variables, images, key)), wanted))


def _training_output(model: Any, variables: Variables, images: Images, key: Key) -> tuple[Array, PyTree]:
    output, changed = _called_in_training(model, variables, images, key)
    outputs = named_outputs(output)
    return outputs[logits_among(outputs, None)], changed


def _called_in_training(model: Any, variables: Variables, images: Images, key: Key) -> tuple[PyTree, PyTree]:
    if isinstance(model, Adapter):
        output, statistics = model.train(variables, images, key)
        return output, {"batch_stats": statistics}
    model = _with_training_fields(model)
    by_place, by_name = training_arguments_of(model.__call__, images, NOTHING)
    rngs = {"dropout": key, "params": jax.random.fold_in(key, 0)}  # Flax draws for any other name from "params"
    others = [name for name in variables if name != "params"]
    call = partial(nn.Module.apply, model, variables, *by_place, **by_name, rngs=rngs, mutable=others)
    output, changed = with_numbers_known(call)
    return output, {name: changed.get(name, variables[name]) for name in others}


def _with_training_fields(model: nn.Module) -> nn.Module:
    """The model with its fields that select evaluation mode, such as `train` or `deterministic`, the other way."""
    names = {field.name for field in fields(model)} & set(EVALUATION)
    flags: dict[str, Any] = {name: not EVALUATION[name] for name in names if getattr(model, name) is EVALUATION[name]}
    return model.clone(**flags) if flags else model
