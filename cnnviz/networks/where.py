"""Opening a network by its location: `runs/x`, `runs/x@3` (the member of seed 3), `runs/x:step_400`, or a file."""

import re
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from cnnviz.errors import InputError
from cnnviz.interop import READERS
from cnnviz.networks.net import Net
from cnnviz.registry import resolve

SOURCES = {"run": "cnnviz.runs:load_run", "file": "cnnviz.networks.file:read"}
PART = re.compile(r"(?P<path>.*?)(:step_(?P<step>\d+))?(@(?P<seed>-?\d+))?", re.DOTALL)


@dataclass(frozen=True)
class Where:
    """A path with a step and a seed of the run there; None means the best epoch and all seeds."""

    path: Path
    step: int | None = None
    seed: int | None = None

    @classmethod
    def read(cls, where: str | PathLike[str]) -> "Where":
        """Parses a location; if the text is an existing path, it is not split."""
        if Path(where).exists() or not (found := PART.fullmatch(fspath(where))):
            return cls(Path(where))
        number = lambda name: None if found[name] is None else int(found[name])
        return cls(Path(found["path"]), number("step"), number("seed"))


def open(where: str | PathLike[str], *, seed: int = 0) -> Net:
    """The network at `where`: a run's directory, one of its members or steps, or a file that a reader is known for.

    A run of several seeds gives all its members, `runs/x@3` only that of seed 3; `runs/x:step_400` has the variables
    after that step, if the run keeps them. `seed` is the seed of the untrained twin, which is drawn if `where` is a
    file. Raises InputError if the path does not exist or cannot be read.
    """
    asked = Where.read(where)
    if not asked.path.exists():
        raise InputError(f"{asked.path} does not exist; give a run's directory or a file ({', '.join(READERS)}).")
    if asked.path.suffix not in READERS:
        return resolve(SOURCES, "run", "source of networks")(asked.path, step=asked.step, seed=asked.seed)
    if asked.step is not None or asked.seed is not None:
        raise InputError(f"{asked.path} holds one network, without steps or seeds; only a run has them.")
    return resolve(SOURCES, "file", "source of networks")(asked.path, seed)
