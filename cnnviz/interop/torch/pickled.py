"""Pickles of tensors and plain data, read by an interpreter of our own: nothing is imported and nothing is called.

A pickle is a program for a stack machine, three of whose opcodes, GLOBAL, REDUCE and NEWOBJ, import and call anything.
Here a global is only a name, which must be in `CALLED` or `KNOWN`, and calling it makes one of the plain values below.
The opcodes are those that PyTorch writes; `pickletools` of the standard library parses them.
"""

import pickletools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop.torch.tensors import CALLED, KNOWN, STORAGES, Storage, Tensor

LARGEST = 8 * 2**20  # bytes; a tensor takes about 150
MOST_OPCODES = 500_000  # a tensor takes about 30
ADVICE = "save the weights alone by torch.save(model.state_dict(), path)"


@dataclass(frozen=True)
class Global:
    """A name that the pickle uses, such as "torch.FloatStorage"; it is never resolved."""

    name: str


@dataclass
class Pickle:
    """What a pickle holds: dicts (of their entries under strings alone), lists, tuples, numbers, texts, tensors.

    `storages` has every storage that it mentions, by key.
    """

    value: Any
    storages: Mapping[str, Storage]


def read_pickle(file: BytesIO, machine: "Machine | None" = None) -> Pickle:
    """Reads one pickle, up to and including its end; the rest of the file stays unread.

    Raises InputError if the pickle is damaged, uses an opcode that PyTorch does not write, or names anything but
    tensors and ordered dicts: anything but what `machine` knows, where another one is given.
    """
    machine = machine or Machine()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number == MOST_OPCODES:
                raise InputError(f"its pickle has more than {MOST_OPCODES} opcodes; a state dict has a few thousand.")
            machine.run(opcode.name, argument)
        return Pickle(machine.pop(), machine.storages)
    except InputError:
        raise
    except (ValueError, LookupError) as error:  # by pickletools, or of an empty stack or a missing memo
        raise InputError(f"its pickle is damaged or cut off ({_shortly(error)}).") from error


class Machine:
    """A stack machine for pickles of PyTorch's; one for another program's has its names, and overrides what differs."""

    writer = "PyTorch"
    content = "a state dict"
    advice = ADVICE
    calls: Mapping[str, Callable[[tuple[Any, ...]], Any]] = CALLED
    names: Collection[str] = KNOWN  # the other globals

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def run(self, opcode: str, argument: Any) -> None:
        if opcode not in OPCODES:
            raise InputError(f"its pickle uses the opcode {opcode}, which {self.writer} does not write; {self.advice}.")
        OPCODES[opcode](self, argument)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def top(self, kind: Any, doing: str) -> Any:
        if not isinstance(found := self.stack[-1], kind):
            raise InputError(f"its pickle {doing} a {type(found).__name__}, which {self.writer} does not write.")
        return found

    def marked(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def group(self, _: Any) -> None:
        items = self.marked()
        self.stack.append(tuple(items))

    def put(self, place: Any) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def get(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def append(self, items: Sequence[Any]) -> None:
        self.top(list, "appends to").extend(items)

    def set(self, items: Sequence[Any]) -> None:
        """Entries of a dict; those under anything but text are dropped: no array's name is a number."""
        pairs = zip(items[::2], items[1::2], strict=True)
        self.top(dict, "sets entries of").update((name, value) for name, value in pairs if type(name) is str)

    def name(self, written: str) -> None:
        """A global, written as "module name", if it is one of those that are known."""
        name = written.replace(" ", ".")
        if name not in self.calls and name not in self.names:
            raise InputError(f"its pickle names {_shortly(name)}, which is no part of {self.content}; {self.advice}.")
        self.stack.append(Global(name))

    def stack_name(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not type(name) is type(module) is str:
            raise InputError("its pickle names something that is not a text.")
        self.name(f"{module} {name}")

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or function.name not in self.calls or not isinstance(arguments, tuple):
            raise InputError(f"its pickle calls something that is not a function of {self.writer}'s for making arrays.")
        self.stack.append(self.calls[function.name](arguments))

    def build(self) -> None:
        """The attributes of a dict (PyTorch's versions of modules; settings) or a parameter, which are dropped."""
        self.pop()
        self.top(dict | Tensor, "sets attributes of")

    def persistent(self) -> None:
        match self.pop():
            case ("storage", Global(name), str(key), str(), int(size), *views) if not any(views):
                if name in STORAGES and size >= 0:
                    storage = Storage(name.rpartition(".")[2], key, size)
                    self.stack.append(self.storages.setdefault(key, storage))
                    if self.storages[key] != storage:
                        raise InputError(f"its pickle describes the storage {_shortly(key)} in two ways.")
                    return
        raise InputError("its pickle refers to something outside that is not the storage of a tensor.")


ITSELF = "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINSTRING SHORT_BINSTRING "
ITSELF += "BINBYTES SHORT_BINBYTES"
OPCODES: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys("PROTO FRAME STOP".split(), lambda machine, _: None),
    **dict.fromkeys(ITSELF.split(), Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": Machine.mark,
    "TUPLE": Machine.group,
    "TUPLE1": lambda machine, _: machine.push((machine.pop(),)),
    "TUPLE2": lambda machine, _: machine.push((machine.pop(), machine.pop())[::-1]),
    "TUPLE3": lambda machine, _: machine.push((machine.pop(), machine.pop(), machine.pop())[::-1]),
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": Machine.put,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.marked()),
    "SETITEM": lambda machine, _: machine.set([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set(machine.marked()),
    "GLOBAL": Machine.name,
    "STACK_GLOBAL": Machine.stack_name,
    "REDUCE": Machine.call,
    "NEWOBJ": Machine.call,
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.persistent(),
}


def _shortly(value: object) -> str:
    """The value as text for a message, truncated to 60 characters."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
