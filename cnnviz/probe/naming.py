"""The names of a model's values: modules' outputs, sown values, and every operation that a person would name.

A module's output has the module's path as its name: `block1/conv`. An operation belongs to the module whose code does
it: `block1/relu`, and `relu` at the top; where a module has several of a kind they are `relu_0`, `relu_1`, ..., in the
order of the code. What is inside a layer of Flax or Keras has no name, such as the normalization in LayerNorm. A module
that is called twice gives `name@0` and `name@1`, and so do its operations. In a loop that is unrolled, the number of
the iteration stands after the module that is repeated: `layers/0/relu`.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from cnnviz.graph import Graph, Value
from cnnviz.graph.graph import Mark
from cnnviz.graph.operations import WEIGHTED, Operation, operations
from cnnviz.graph.spelled import function_name
from cnnviz.graph.unroll import ITERATION

SOWN = "="  # the first character of a sown value's mark; that of a module's output is the module's class
LAYERS = ("flax.", "cnnviz.interop.")  # the packages of modules that are one layer, but for CONTAINERS of the user's
CONTAINERS = {"Sequential", "Graph"}


class Place(NamedTuple):
    """The part of a model that some code is in: a module's path, which call of the module, and in which iterations."""

    path: str
    module: str = ""  # the path without iterations
    call: str = ""
    is_layer: bool = False  # whether it is inside a layer of Flax or Keras

    @property
    def is_repeated(self) -> bool:
        return self.path != self.module


class Named(NamedTuple):
    """A value that has a name: its kind, the operation that made it, and whether that is a non-linearity.

    `module` is the path of the module whose output it is.
    """

    value: Value
    kind: str
    function: str = ""
    bends: bool = False
    module: str = ""


class Names(NamedTuple):
    """The named values of a model in order of execution, and other names of some of them."""

    layers: dict[str, Named]
    aliases: dict[str, str]


Key = str | tuple[Place, str, int]  # the name of a module's output or a sown value; an operation's place, kind, number
Found = dict[Key, Named]


def label_of(path: str, call: int, module: type) -> str:
    """The label of a module's code."""
    return f"{path}#{call}" + "!" * _is_layer(module)


def _is_layer(module: type) -> bool:
    """Whether the class is a layer of Flax or Keras, or what a transformation of Flax made of such a layer."""
    own = next(base for base in module.__mro__ if base.__module__ != "flax.linen.transforms")
    return own.__module__.startswith(LAYERS) and own.__name__ not in CONTAINERS


@lru_cache(maxsize=10_000)
def place_of(labels: tuple[str, ...]) -> Place:
    """The place that labels say, given from the outermost to the innermost."""
    module, call, loops, started = "", "", [], 0
    for text in labels:
        if text.startswith(ITERATION):
            loops.append((module or "scan", text.removeprefix(ITERATION)))
        else:
            module, _, call = text.rpartition("#")
            loops[started:] = [(module, number) for _, number in loops[started:]]
            started = len(loops)
    path = module
    for around, number in reversed(loops):
        inside = path.removeprefix(around).strip("/") if f"{path}/".startswith(f"{around}/") else path
        path = "/".join(filter(None, (around, number, inside)))
    return Place(path, module, call.strip("!"), call.endswith("!"))


def recorded_names(graph: Graph) -> list[str]:
    """The names of modules' outputs and of sown values, as often as they were recorded, in order."""
    return [_name_of(mark) for mark in graph.marks]


def found_in(graph: Graph, sources: Sequence[Value], sown: Mapping[str, Value], kinds: Mapping[str, str]) -> Found:
    """Everything in the graph that may have a name; `kinds` are those of values that an adapter recorded itself."""
    made = {each.value: each for each in operations(graph, sources)}
    outer = [each for each in made.values() if not place_of(each.labels).is_layer]
    bending = {place for each in made.values() if each.bends and (place := place_of(each.labels)).is_layer}
    known = _outputs(graph, bending, alone=not sown and not outer)
    known |= {name: Named(value, kinds.get(name.split("@")[0], "")) for name, value in sown.items()}
    found: Found = {name: _completed(graph, each, made.get(each.value)) for name, each in known.items()}
    numbers: Counter[tuple[Place, str]] = Counter()
    weighted = Counter(place_of(each.labels).path for each in outer if each.kind in WEIGHTED.values())
    for each in outer:
        place = place_of(each.labels)
        if each.kind in WEIGHTED.values() and place.path and weighted[place.path] == 1:
            continue  # the module is this layer
        found[place, each.kind, numbers[place, each.kind]] = Named(each.value, each.kind, each.kind, each.bends)
        numbers[place, each.kind] += 1
    return found


def _name_of(mark: Mark) -> str:
    path = place_of(mark.labels).path
    return f"{path}/{mark.text.removeprefix(SOWN)}".strip("/") if mark.text.startswith(SOWN) else path


def _outputs(graph: Graph, bending: Collection[Place], alone: bool) -> dict[str, Named]:
    """Each module's output, and each value sown in a loop, which Flax does not return.

    The model's own output has no name, unless it is all there is.
    """
    by_name = defaultdict(list)
    for mark in graph.marks:
        place, is_sown = place_of(mark.labels), mark.text.startswith(SOWN)
        if not is_sown:
            by_name[_name_of(mark)].append(Named(mark.value, mark.text, bends=place in bending, module=place.module))
        elif place.is_repeated:
            by_name[_name_of(mark)].append(Named(mark.value, ""))
    root = by_name.pop("", [])
    if root and not by_name and alone:
        return {root[0].kind: root[0]}
    return {each: value for name, calls in by_name.items() for each, value in with_calls(name, calls).items()}


def with_calls(name: str, calls: Sequence[Any]) -> dict[str, Any]:
    """The values of one name by call: one is called `name`, several are `name@0`, `name@1`, ..."""
    return {name: calls[0]} if len(calls) == 1 else {f"{name}@{i}": each for i, each in enumerate(calls)}


def _completed(graph: Graph, named: Named, operation: Operation | None) -> Named:
    """With what the graph says of the operation that made the value."""
    if operation is None:
        return named._replace(kind=named.kind or kind_of(graph, named.value))
    bends = named.bends or operation.bends
    return named._replace(kind=named.kind or operation.kind, function=operation.kind, bends=bends)


def kind_of(graph: Graph, value: Value) -> str:
    """What a sown value is called that is no operation: the function or the primitive that made it."""
    node = graph.maker(value)
    return "input" if node is None else function_name(node) or node.name


def names(graph: Graph, found: Found, recorded: Sequence[str]) -> Names:
    """The names of what was found.

    An operation whose value is sown, or is the output of a module that does it, gets another name for that. One whose
    value is only handed on by later modules (dropout, an identity) has a name of its own besides theirs.
    """
    known = {name: each for name, each in found.items() if isinstance(name, str)}
    sown_last = sorted(reversed(known.items()), key=lambda item: not item[1].module)
    by_value = {each.value: name for name, each in sown_last}  # sown names win, and of modules the first
    named = defaultdict(list)
    for each in known.values():
        named[each.value].append(each.module)
    layers, aliases, reserved = dict(known), {}, {name.split("@")[0] for name in (*known, *recorded)}
    groups: dict[tuple[str, str], dict[str, list[Named]]] = defaultdict(lambda: defaultdict(list))
    for key, each in found.items():
        if not isinstance(key, str):
            groups[key[0].path, key[1]][key[0].call].append(each)
    shared = {
        (key[0].path, key[1], each.value)
        for key, each in found.items()
        if not isinstance(key, str) and any(_is_within(key[0].module, module) for module in named[each.value])
    }
    for (path, kind), calls in groups.items():
        every = with_calls("", list(calls.values()))
        is_new = lambda each, own=(path, kind): (*own, each.value) not in shared
        new = {call: [each for each in made if is_new(each)] for call, made in every.items()}
        old = {call: [each for each in made if not is_new(each)] for call, made in every.items()}
        base = f"{path}/{kind}".strip("/")
        stems = _free(base, max(map(len, new.values())), reserved)
        others = _free(base, max(map(len, old.values())), reserved, len(stems))
        layers |= {stem + call: each for call, made in new.items() for stem, each in zip(stems, made, strict=False)}
        aliases |= {
            stem + call: by_value[each.value]
            for call, made in old.items()
            for stem, each in zip(others, made, strict=False)
        }
    return Names({name: layers[name] for name in _in_order(graph, layers, recorded)}, aliases)


def _is_within(inner: str, outer: str) -> bool:
    """Whether a module is another one or inside it; everything is within the model, whose path is empty."""
    return not outer or f"{inner}/".startswith(f"{outer}/")


def _free(base: str, count: int, reserved: Collection[str], start: int = 0) -> list[str]:
    """So many names that the user has not given: `relu`, or `relu_0`, `relu_1`, ..."""
    if count == 1 and not start and base not in reserved:
        return [base]
    numbered = (f"{base}_{i}" for i in itertools.count(start))
    return list(itertools.islice((name for name in numbered if name not in reserved), count))


def _in_order(graph: Graph, layers: Mapping[str, Named], recorded: Sequence[str]) -> list[str]:
    """Names by the position in the graph of the nodes that compute them; two names of one value as recorded.

    An operation comes before the modules that hand its value on.
    """
    calls: Counter[str] = Counter()
    seen: dict[str, int] = {}
    for i, name in enumerate(recorded):
        seen[f"{name}@{calls[name]}"] = i
        seen.setdefault(name, i)
        calls[name] += 1
    place = lambda name: (graph.made_by.get(layers[name].value, -1), seen.get(name, -1))
    return sorted(layers, key=place)
