"""Calls a Flax model so that its graph says where each value comes from, without editing the model.

The code of each module is labelled with the module's path, and its output and the values that it sows are marked
(`graph.labels`). Both are part of what is traced, so they come out of `remat`, `jit` and loops.
"""

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict

from cnnviz.errors import InputError, InputTypeError
from cnnviz.graph.labels import label, mark
from cnnviz.probe.naming import SOWN, label_of, with_calls
from cnnviz.types import Array, Key, PyTree, Variables

EVALUATION = {"train": False, "training": False, "is_train": False, "is_training": False, "deterministic": True}
EVALUATION |= {"use_running_average": True, "inference": True, "update_batch_norm": False}


@dataclass
class Recording:
    """One call of a model: its output, and the values that it sows by name.

    An adapter that marks nothing gives all its `values`, their names in `order`, and their `kinds`.
    """

    output: PyTree
    values: dict[str, Array]
    order: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)


class Adapter(ABC):
    """A model that is not a Linen module, brought in by an object that calls it and records its parts."""

    @property
    def is_drawable(self) -> bool:
        """Whether `init` can draw its variables anew."""
        return False

    @abstractmethod
    def apply(self, variables: Variables, images: PyTree, **call: Any) -> PyTree:
        """The model's output for images `[n, ..., c]`, or a tree of inputs, in evaluation mode."""

    @abstractmethod
    def record(self, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
        """One call of the model, as `capture.record` gives it."""

    def init(self, key: Key, images: PyTree) -> dict[str, PyTree]:
        """Variables drawn from the key. Raises InputError if this model cannot be drawn again."""
        raise InputError(f"Variables of a {type(self).__name__} cannot be drawn again; it comes with its own.")

    def train(self, variables: Variables, images: Array, key: Key) -> tuple[PyTree, PyTree]:
        """The output in training mode, random draws from the key, and BatchNorm's new statistics."""
        raise InputError(f"A {type(self).__name__} cannot be trained.")


def record(model: Any, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
    """One call of the model in evaluation mode, with its modules labelled and their outputs and sown values marked.

    Raises InputTypeError if the model is neither a Linen module nor an Adapter.
    """
    check_model(model)
    if isinstance(model, Adapter):
        return model.record(variables, images, call)
    return _record_linen(model, variables, images, call)


class LacksArgument(InputError):
    """The model's call needs `argument`, which was not given."""

    def __init__(self, argument: str):
        self.argument = argument
        given = f"call={{{argument!r}: ...}}"
        super().__init__(f"The model's call needs an argument {argument!r} that was not given; give it as {given}.")


def check_model(model: Any) -> None:
    """Raises InputTypeError if the model is neither a Linen module nor an Adapter."""
    if not isinstance(model, nn.Module | Adapter):
        raise InputTypeError(
            f"A model is a Flax Linen module, or an NNX one brought in by from_nnx; {type(model).__name__} is neither."
        )


def arguments_of(function: Any, images: PyTree, call: Mapping[str, Any]) -> tuple[tuple[PyTree, ...], dict[str, Any]]:
    """How `function` is called for these images: arguments by place and by name.

    The images are its first argument, by name where all its arguments are. Inputs in a mapping whose names are
    arguments of the function, the first among them, go to these; a tuple goes to as many arguments if the function
    needs that many. The others are `call`, and those of EVALUATION that its signature has. Raises InputError for a
    required argument that is in neither.
    """
    parameters = inspect.signature(function).parameters.values()
    plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names = [p.name for p in plain]
    if names and all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters) and not isinstance(images, Mapping):
        images = {names[0]: images}
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
            raise LacksArgument(name)
    return tuple(by_place), {name: value for name, value in filled.items() if name not in by_name} | by_name


def training_arguments_of(
    function: Any, images: PyTree, call: Mapping[str, Any]
) -> tuple[tuple[PyTree, ...], dict[str, Any]]:
    """As `arguments_of`, with those of EVALUATION that the signature has the other way."""
    by_place, by_name = arguments_of(function, images, call)
    return by_place, {name: not value if name in EVALUATION else value for name, value in by_name.items()}


def named(found: Mapping[str, Any]) -> dict[str, Array]:
    """Arrays by name; everything else is left out.

    A tuple has one value per call: one value is called `name`, several are `name@0`, `name@1`, ...
    """
    values = {}
    for name, value in found.items():
        calls = with_calls(name, value if isinstance(value, tuple) else (value,))
        values |= {each: array for each, array in calls.items() if is_array(array)}
    return values


def is_array(value: Any) -> bool:
    """Whether it is a JAX array with at least one axis."""
    return isinstance(value, jax.Array) and value.ndim > 0


def in_evaluation(model: nn.Module) -> nn.Module:
    """The model with those of its fields that select evaluation mode, by the names in EVALUATION, set so."""
    fields = {field.name for field in dataclasses.fields(model) if field.init}
    modes = {name: value for name, value in EVALUATION.items() if isinstance(getattr(model, name, None), bool)}
    wrong: dict[str, Any] = {name: value for name, value in modes.items() if getattr(model, name) is not value}
    return model.clone(**{name: value for name, value in wrong.items() if name in fields}) if wrong else model


def sown(name: str, value: Any) -> Any:
    """A value that is sown by this name, marked so if it is an array."""
    return mark(value, SOWN + name) if is_array(value) else value


def _record_linen(model: nn.Module, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
    calls: Counter[str] = Counter()
    running: list[nn.Module] = []
    ended: list[bool] = []

    def intercept(next_call, args, kwargs, context):
        if ended:  # under `python -O` Flax does not remove an interceptor, as that stands in an assertion
            return next_call(*args, **kwargs)
        module, path = context.module, "/".join(context.module.path)
        is_call = context.method_name == "__call__"  # and not such as the wrapper that remat puts around a module
        if is_call and any(module is each for each in running):  # super().__call__, within the module's own
            return next_call(*args, **kwargs)
        calls[path] += is_call
        if is_call:
            _mark_sown(module)
        with label(label_of(path, calls[path], type(module))), _within(running, module if is_call else None):
            output = next_call(*args, **kwargs)
            return mark(output, type(module).__name__) if is_call and is_array(output) else output

    kept = {name: tree for name, tree in variables.items() if name not in ("intermediates", "perturbations")}
    by_place, by_name = arguments_of(model.__call__, images, call)
    model = in_evaluation(model)
    try:
        with nn.intercept_methods(intercept):
            output, state = nn.Module.apply(model, kept, *by_place, mutable=["intermediates"], **by_name)
    finally:
        ended.append(True)
    found = {"/".join(path): value for path, value in flatten_dict(state.get("intermediates", {})).items()}
    return Recording(output, named(found))


@contextmanager
def _within(running: list[nn.Module], module: nn.Module | None) -> Iterator[None]:
    """While this module runs, it is the last of those that run; None changes nothing."""
    running.extend([module] if module is not None else [])
    try:
        yield
    finally:
        if module is not None:
            running.pop()


def _mark_sown(module: nn.Module) -> None:
    """Makes this instance mark each value that it sows."""

    def sow(col: str, name: str, value: Any, **options: Any) -> bool:
        value = sown(name, value) if col == "intermediates" else value
        return type(module).sow(module, col, name, value, **options)

    object.__setattr__(module, "sow", sow)
