"""Records the output of each module of a Flax model and every value that it sows, without editing the model.

Traced values do not leave the trace by side effects: they are kept in a variable collection of ours, so they come out
of `remat` and `jit` as Flax's own variables do. Only names are collected in Python.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict

from cnnviz.errors import InputError, InputTypeError
from cnnviz.types import Array, Key, PyTree, Variables

COLLECTION, OUTPUT = "//cnnviz", "//output"  # names that no model uses for its own
EVALUATION = {"train": False, "training": False, "is_training": False, "deterministic": True}
EVALUATION |= {"use_running_average": True}


@dataclass
class Recording:
    """One call of a model: its output, its `values` by name, their names as they were recorded, and their kinds."""

    output: PyTree
    values: dict[str, Array]
    order: list[str]
    kinds: dict[str, str] = field(default_factory=dict)


class Adapter(ABC):
    """A model that is not a Linen module, brought in by an object that calls it and records its parts."""

    @abstractmethod
    def apply(self, variables: Variables, images: PyTree, **call: Any) -> PyTree:
        """The model's output for images `[n, ..., c]`, or a tree of inputs, in evaluation mode."""

    @abstractmethod
    def record(self, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
        """One call of the model, as `capture.record` gives it."""

    def init(self, key: Key, images: Array) -> dict[str, PyTree]:
        """Variables drawn from the key. Raises InputError if this model cannot be drawn again."""
        raise InputError(f"Variables of a {type(self).__name__} cannot be drawn again; it comes with its own.")

    def train(self, variables: Variables, images: Array, key: Key) -> tuple[PyTree, PyTree]:
        """The output in training mode, random draws from the key, and BatchNorm's new statistics."""
        raise InputError(f"A {type(self).__name__} cannot be trained.")


def record(model: Any, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
    """One call of the model in evaluation mode, with every module's output and every sown value under its path.

    A path is joined by "/". Of a module that is called twice, the outputs are `name@0` and `name@1`. Raises
    InputTypeError if the model is neither a Linen module nor an Adapter.
    """
    check_model(model)
    if isinstance(model, Adapter):
        return model.record(variables, images, call)
    return _record_linen(model, variables, images, call)


def check_model(model: Any) -> None:
    """Raises InputTypeError if the model is neither a Linen module nor an Adapter."""
    if not isinstance(model, nn.Module | Adapter):
        raise InputTypeError(
            f"A model is a Flax Linen module, or an NNX one brought in by from_nnx; {type(model).__name__} is neither."
        )


def evaluation_call(function: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `function` besides the images: `call`, and those of EVALUATION that its signature has.

    Raises InputError for another required argument that is not in `call`.
    """
    return arguments_of(function, None, call)[1]


def arguments_of(function: Any, images: PyTree, call: Mapping[str, Any]) -> tuple[tuple[PyTree, ...], dict[str, Any]]:
    """How `function` is called for these images: arguments by place and by name.

    The images are its first argument. Inputs in a mapping whose names are arguments of the function, the first among
    them, go to these; a tuple goes to as many arguments if the function needs that many. The others are `call`, and
    those of EVALUATION that its signature has. Raises InputError for a required argument that is in neither.
    """
    parameters = inspect.signature(function).parameters.values()
    plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names = [p.name for p in plain]
    filled = {name: EVALUATION[name] for name in names[1:] if name in EVALUATION} | dict(call)
    needed = [p.name for p in plain if p.default is p.empty and p.name not in filled]
    if isinstance(images, Mapping) and names and names[0] in images and set(images) <= set(names):
        by_place, by_name = (), dict(images)
    else:
        spread = type(images) is tuple and len(images) == len(needed) > 1
        by_place, by_name = images if spread else (images,), {}
    given = {*names[: len(by_place)], *by_name}
    for name in needed:
        if name not in given:
            raise InputError(
                f"The model's call needs an argument {name!r} that nobody gave; give it as call={{{name!r}: ...}}."
            )
    return tuple(by_place), {name: value for name, value in filled.items() if name not in by_name} | by_name


def named(found: Mapping[str, Any]) -> dict[str, Array]:
    """Arrays by name; what is not an array is left out.

    A tuple has one value per call: one value is called `name`, several are `name@0`, `name@1`, ...
    """
    values = {}
    for name, value in found.items():
        calls = value if isinstance(value, tuple) else (value,)
        suffix = [""] if len(calls) == 1 else [f"@{i}" for i in range(len(calls))]
        values |= {name + s: array for s, array in zip(suffix, calls, strict=True) if is_array(array)}
    return values


def is_array(value: Any) -> bool:
    """Whether it is a JAX array with at least one axis."""
    return isinstance(value, jax.Array) and value.ndim > 0


def _record_linen(model: nn.Module, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
    order: list[str] = []
    kinds: dict[str, str] = {}
    ended: list[bool] = []

    def intercept(next_call, args, kwargs, context):
        module, path = context.module, "/".join(context.module.path)
        # Other methods are, for example, the wrapper that remat puts around a module. Under `python -O` Flax does not
        # remove an interceptor, as that stands in an assertion: an old one lets calls pass.
        if ended or context.method_name != "__call__":
            return next_call(*args, **kwargs)
        _note_sown_names(module, path, order)
        output = next_call(*args, **kwargs)
        if is_array(output):
            module.sow(COLLECTION, OUTPUT, output)
            order.append(path)
            kinds[path] = type(module).__name__
        return output

    kept = {
        name: tree for name, tree in variables.items() if name not in (COLLECTION, "intermediates", "perturbations")
    }
    by_place, by_name = arguments_of(model.__call__, images, call)
    try:
        with nn.intercept_methods(intercept):
            output, state = nn.Module.apply(model, kept, *by_place, mutable=[COLLECTION, "intermediates"], **by_name)
    finally:
        ended.append(True)
    sown = {"/".join(path): value for path, value in flatten_dict(state.get("intermediates", {})).items()}
    outputs = {"/".join(path[:-1]): value for path, value in flatten_dict(state.get(COLLECTION, {})).items()}
    root = outputs.pop("", None)
    if not outputs and not sown and root is not None:  # a model of one layer: the root itself
        outputs[type(model).__name__] = root
        kinds[type(model).__name__] = type(model).__name__
    return Recording(output, named(outputs | sown), order, kinds)


def _note_sown_names(module: nn.Module, path: str, order: list[str]) -> None:
    """Makes this instance record the name of each value that it sows; the sown values are unchanged."""

    def sow(col: str, name: str, value: Any, **options: Any) -> bool:
        if col == "intermediates":
            order.append(f"{path}/{name}".strip("/"))
        return type(module).sow(module, col, name, value, **options)

    object.__setattr__(module, "sow", sow)
