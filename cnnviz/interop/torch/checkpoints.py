"""The state dict in what torch.save saved, which may be a checkpoint with much else in it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from cnnviz.errors import InputError
from cnnviz.interop.torch.tensors import Tensor

USUAL = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
WRAPPERS = ("module.", "_orig_mod.", "model.")  # of DataParallel, torch.compile and Lightning
DEEPEST = 3  # of a state dict within dicts

Named = tuple[str, dict[str, Any]]
T = TypeVar("T")


def state_of(saved: Any) -> dict[str, Tensor]:
    """The tensors of a state dict, or of the one in a checkpoint, which is found by its usual names or is the only one.

    Everything else in the checkpoint is left. Raises InputError if there is none, or several under other names.
    """
    if not isinstance(saved, dict):
        raise InputError(f"it holds a {type(saved).__name__}; a state dict has tensors by name.")
    level: Sequence[Named] = [("", saved)]
    for _ in range(DEEPEST):
        states = [(name, found) for name, value in level if (found := _tensors(value))]
        below = _below(level)
        usual = [found for name in USUAL for other, value in below if name == other and (found := _tensors(value))]
        if usual or len(states) == 1:
            return usual[0] if usual else states[0][1]
        if states:
            raise InputError(f"it holds several state dicts ({', '.join(name for name, _ in states[:5])}); save one.")
        level = below
    raise InputError(f"it holds no tensors by name; at the top are {', '.join(list(saved)[:5]) or 'no entries'}.")


def unwrapped(state: Mapping[str, T]) -> dict[str, T]:
    """The state dict without what wrappers of a model put before all its names."""
    for prefix in WRAPPERS * 2:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)


def _tensors(value: dict[str, Any]) -> dict[str, Tensor]:
    return {name: entry for name, entry in value.items() if isinstance(entry, Tensor)}


def _below(level: Sequence[Named]) -> list[Named]:
    """The dicts in these dicts, each once, since a small pickle can hold one in a million places."""
    within = [(name, value) for _, outer in level for name, value in outer.items() if isinstance(value, dict)]
    return list({id(value): (name, value) for name, value in within}.values())
