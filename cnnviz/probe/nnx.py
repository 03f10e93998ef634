"""An NNX module as a model and its variables, which every function of cnnviz reads as it reads a Linen module."""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
from flax import nnx

from cnnviz.errors import InputTypeError
from cnnviz.graph.labels import label, mark
from cnnviz.probe.capture import (
    EVALUATION,
    Adapter,
    Recording,
    arguments_of,
    is_array,
    named,
    sown,
    training_arguments_of,
)
from cnnviz.probe.naming import label_of
from cnnviz.types import Array, Key, PyTree, Variables

COLLECTIONS = {"params": nnx.Param, "batch_stats": nnx.BatchStat}


@dataclass(frozen=True, eq=False)
class NNXModel(Adapter):
    """The structure of an NNX module without its arrays; `apply` and `record` put arrays back into it.

    `make` gives a new module whose parameters are drawn from a key, where it is known how.
    """

    graphdef: Any
    states: Mapping[str, Any]  # collection -> the State whose structure the arrays take
    make: Callable[[Key], nnx.Module] | None = None

    @property
    def is_drawable(self) -> bool:
        """Whether it is known how to make a new module."""
        return self.make is not None

    def module(self, variables: Variables) -> nnx.Module:
        """A copy of the module that holds these variables, in evaluation mode."""
        states = [_filled(state, variables.get(name, {})) for name, state in self.states.items()]
        module = nnx.merge(self.graphdef, *states)
        module.eval()
        _set_modes(module, EVALUATION)
        return module

    def apply(self, variables: Variables, images: PyTree, **call: Any) -> PyTree:
        """The module's output for images `[n, ..., c]`, in evaluation mode."""
        module = self.module(variables)
        return _captured(module, *_arguments_of(module, images, call))[0]

    def init(self, key: Key, images: PyTree) -> dict[str, PyTree]:
        """The parameters of a new module, and its statistics; what else the module holds stays as it is."""
        if self.make is None:
            return super().init(key, images)
        return {name: tree for name, tree in from_nnx(self.make(key))[1].items() if name in COLLECTIONS}

    def train(self, variables: Variables, images: Array, key: Key) -> tuple[PyTree, PyTree]:
        """The output in training mode, each stream of random draws with a key of its own, and the new statistics."""
        module = self.module(variables)
        module.train()
        _set_modes(module, {name: not value for name, value in EVALUATION.items()})
        streams = [part for _, part in nnx.iter_graph(module) if isinstance(part, nnx.RngStream)]
        for i, stream in enumerate(streams):
            stream.key.set_value(jax.random.fold_in(key, i))
        by_place, by_name = training_arguments_of(module.__call__, images, _random(module, key))
        output, _ = _captured(module, by_place, by_name)
        return output, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))

    def record(self, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
        """As `capture.record`. The classes of the copy's modules are replaced; those of the original are not."""
        module = self.module(variables)
        by_place, by_name = _arguments_of(module, images, call)
        calls: Counter[str] = Counter()
        for path, part in nnx.iter_modules(module):
            if isinstance(part, nnx.Module):
                _watch(part, _name(path), calls)
        output, found = _captured(module, by_place, by_name)
        return Recording(output, named({_name(path): tuple(value) for path, value in nnx.to_flat_state(found)}))


def from_nnx(module: Any) -> tuple[NNXModel, dict[str, PyTree]]:
    """The module as `(model, variables)`, for every function of cnnviz; the module itself is not changed.

    `variables` are nested dicts: "params", "batch_stats" and, for the rest of the module's state, "state". Raises
    InputTypeError if `module` is not an NNX module.
    """
    if not isinstance(module, nnx.Module):
        raise InputTypeError(f"from_nnx takes an NNX module; {type(module).__name__} is not one.")
    graphdef, *states = nnx.split(module, *COLLECTIONS.values(), ...)
    named_states = dict(zip([*COLLECTIONS, "state"], states, strict=True))
    variables = {name: nnx.to_pure_dict(state) for name, state in named_states.items() if nnx.to_flat_state(state)}
    return NNXModel(graphdef, named_states), variables


def nnx_model(make: Callable[[Key], nnx.Module]) -> NNXModel:
    """The model whose variables `make(key)` draws, to be trained or to be filled with weights."""
    return replace(from_nnx(make(jax.random.key(0)))[0], make=make)


def _set_modes(module: Any, modes: Mapping[str, bool]) -> None:
    """Sets attributes of these names that select a mode, of the module and its parts; Flax knows only two of them."""
    for _, part in nnx.iter_modules(module):
        for name, value in modes.items():
            if isinstance(getattr(part, name, None), bool):
                setattr(part, name, value)


def _arguments_of(module: Any, images: PyTree, call: Mapping[str, Any]) -> Any:
    """As `arguments_of`; without random streams for a call that has them as an argument, as evaluation needs none."""
    return arguments_of(module.__call__, images, _random(module) | dict(call))


def _random(module: Any, key: Key | None = None) -> dict[str, Any]:
    """The argument `rngs` of the module's call, where it has one: streams from the key, or None."""
    taken = "rngs" in inspect.signature(module.__call__).parameters
    return {"rngs": None if key is None else nnx.Rngs(key)} if taken else {}


def _captured(module: Any, by_place: tuple[PyTree, ...], by_name: Mapping[str, Any]) -> tuple[PyTree, Any]:
    """The module's output and what it sows."""
    return nnx.capture(lambda m, x: m(*x, **by_name), nnx.Intermediate)(module, by_place)


def _filled(state: Any, arrays: PyTree) -> Any:
    filled = nnx.clone(state)
    nnx.replace_by_pure_dict(filled, arrays)
    return filled


def _name(path: tuple) -> str:
    return "/".join(map(str, path))


def _watch(part: Any, name: str, calls: Counter[str]) -> None:
    """Replaces this instance's class by one that labels its code and marks its outputs and what it sows."""
    kind = type(part)

    def marked_call(self: Any, *args, **kwargs):
        calls[name] += 1
        with label(label_of(name, calls[name], kind)):
            output = super(watched, self).__call__(*args, **kwargs)
            return mark(output, kind.__name__) if is_array(output) else output

    def marked_sow(self: Any, variable_type, sown_name, value, **options):
        return super(watched, self).sow(variable_type, sown_name, sown(sown_name, value), **options)

    methods = {"sow": marked_sow} | ({"__call__": marked_call} if callable(part) else {})
    watched: Any = type(kind.__name__, (kind,), methods)
    object.__setattr__(part, "__class__", watched)
