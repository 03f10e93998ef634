"""The calls of a Functional model's layers, in an order in which each comes after what it reads.

Keras 3 describes what a call reads by each tensor's history, `[layer, call, output]`; earlier versions list
`[layer, call, output, {keywords}]`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from cnnviz.errors import InputError
from cnnviz.interop.keras.config import fields, is_model, is_operation, name_of
from cnnviz.interop.keras.fields import flattened, is_number
from cnnviz.interop.linen.graph import Call, Ref


class Read(NamedTuple):
    """An output of a layer: its name, which of its calls, and which output of that."""

    name: str
    call: int
    output: int


Key = tuple[str, int]  # a layer's name, and which of its calls
Constant = float | tuple[Any, ...]  # a number, or an array as nested tuples of numbers
Constants = tuple[Constant | None, ...]
MOST_NUMBERS = 10_000  # of an array in the description; weights stand elsewhere


@dataclass(frozen=True)
class Called:
    """The calls in order, what the model's outputs read, and the constants among the operands of each operation."""

    calls: tuple[Call, ...]
    outputs: tuple[Ref, ...]
    constants: Mapping[str, Constants]


def calls_of(
    entries: Sequence[Mapping[str, Any]], inputs: Sequence[str], outputs: Sequence[Read], keras: int
) -> Called:
    """The calls that the entries of a model's layers describe, written by this major version of Keras.

    Raises InputError if a call reads what no call gives, if calls read each other in a circle, or if one is in
    training: in Keras 3 that is what the model is, whatever its description says, and in evaluation none is.
    """
    nodes = {key: node for entry in entries for key, node in _nodes(entry)}
    if trained := [name for (name, _), node in nodes.items() if keras < 3 and _in_training(node)]:
        raise InputError(f"layer {trained[0]!r} is called with training=True; a model is read in evaluation mode.")
    reads = {key: reads_of(node) for key, node in nodes.items()}
    starts = _starts(entries, [*reads.values(), list(outputs)])
    reads = {key: [_counted(read, starts) for read in found] for key, found in reads.items()}
    places: dict[Key, int] = {(name, 0): i for i, name in enumerate(inputs)}
    calls = []
    for key in _in_order(reads, places):
        places[key] = len(inputs) + len(calls)
        calls.append(Call(key[0], tuple((places[name, call], output) for name, call, output in reads[key])))
    ends = [_counted(read, starts) for read in outputs]
    if unknown := [name for name, call, _ in ends if (name, call) not in places]:
        raise InputError(f"the model's output is a call of {unknown[0]!r} that its description does not have.")
    operations = {name_of(entry) for entry in entries if is_operation(entry)}
    constants = {key[0]: _constants(node) for key, node in nodes.items() if key[0] in operations}
    return Called(tuple(calls), tuple((places[name, call], output) for name, call, output in ends), constants)


def reads_of(node: Any) -> list[Read]:
    """The outputs of layers that a part of a description refers to, in order."""
    return [operand for operand in _operands(node) if isinstance(operand, Read)]


def _constants(node: Any) -> Constants:
    return tuple(None if isinstance(operand, Read) else operand for operand in _operands(node))


def _operands(node: Any) -> Iterator[Read | Constant]:
    """The outputs of layers and the constants that a call is made with."""
    if (constant := _constant(node)) is not None:
        yield constant
    elif isinstance(node, Mapping):
        inner = node.get("keras_history", node.get("config"))
        for part in [node[key] for key in sorted(node)] if inner is None else [inner]:
            yield from _operands(part)
    elif isinstance(node, list) and _is_read(node):
        yield float(node[2]) if node[0] == "_CONSTANT_VALUE" else Read(*node[:3])
        yield from _operands(node[3:])
    elif isinstance(node, list):
        for part in node:
            yield from _operands(part)


def _constant(node: Any) -> Constant | None:
    """The number or the array that a part of a description is; None if it is neither."""
    if isinstance(node, Mapping) and node.get("class_name") in ("__numpy__", "__tensor__"):
        node = fields(node.get("config")).get("value")
    flat = flattened(node)
    return _nested(node) if flat and len(flat) <= MOST_NUMBERS and all(map(is_number, flat)) else None


def _nested(node: Any) -> Any:
    """Lists of numbers as tuples, which can be compared and hashed."""
    return tuple(map(_nested, node)) if isinstance(node, list) else float(node)


def _is_read(node: list[Any]) -> bool:
    if len(node) not in (3, 4) or not isinstance(node[0], str):
        return False
    whole = lambda n: isinstance(n, int) and not isinstance(n, bool) and 0 <= n
    return is_number(node[2]) if node[0] == "_CONSTANT_VALUE" else whole(node[1]) and whole(node[2])


def _nodes(entry: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Each call of the layer, as the file describes it; an input has none."""
    name, nodes = name_of(entry), entry.get("inbound_nodes")
    nodes = nodes if isinstance(nodes, list) else []
    if entry.get("class_name") == "InputLayer":
        return
    if not nodes:
        raise InputError(f"layer {name!r} is not called on anything.")
    for i, node in enumerate(nodes):
        if not reads_of(node):
            raise InputError(f"layer {name!r} is called on no output of another layer.")
        yield (name, i), node


def _in_training(nodes: Any) -> bool:
    """Whether any call in the description of a layer's calls has `training=True`."""
    if isinstance(nodes, Mapping):
        return bool(nodes.get("training")) or True in _list(nodes.get("args")) or _in_training(list(nodes.values()))
    return isinstance(nodes, list) and any(map(_in_training, nodes))


def _list(value: Any) -> list[Any]:
    return [part for part in value if isinstance(part, bool)] if isinstance(value, list) else []


def _starts(entries: Sequence[Mapping[str, Any]], reads: Sequence[Sequence[Read]]) -> dict[str, int]:
    """The number of each model's first call: 1 where its own building counts as a call, as for most."""
    models = {name_of(entry) for entry in entries if is_model(entry)}
    calls = defaultdict(list)
    for name, call, _ in (read for found in reads for read in found if read[0] in models):
        calls[name].append(call)
    return {name: min(found) for name, found in calls.items()}


def _counted(read: Read, starts: Mapping[str, int]) -> Read:
    name, call, output = read
    return Read(name, call - starts.get(name, 0), output)


def _in_order(reads: Mapping[Key, Sequence[Read]], given: Mapping[Key, int]) -> Iterator[Key]:
    """The calls in the file's order, each after what it reads. Raises InputError if that is impossible."""
    keys = list(reads)
    missing = {key: {read[:2] for read in reads[key]} - set(given) for key in keys}
    readers: dict[Key, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        for read in missing[key]:
            if read not in reads:
                raise InputError(f"layer {key[0]!r} is called on {read[0]!r}, which is not in the description.")
            readers[read].append(i)
    ready = [i for i, key in enumerate(keys) if not missing[key]]
    heapify(ready)
    count = 0
    while ready:
        key = keys[heappop(ready)]
        yield key
        count += 1
        for i in readers[key]:
            missing[keys[i]].discard(key)
            if not missing[keys[i]]:
                heappush(ready, i)
    if count < len(keys):
        first = next(key[0] for key in keys if missing[key])
        raise InputError(f"layer {first!r} is called on its own output.")
