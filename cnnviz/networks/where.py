"""Opening a network: by its location (`runs/x`, `runs/x@3`, `runs/x:step_400` or a file), or from a model."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from cnnviz.errors import InputError
from cnnviz.interop import READERS
from cnnviz.interop.foreign import check_not_foreign
from cnnviz.interop.place import Where
from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.registry import resolve
from cnnviz.types import VariablesLike

SOURCES = {
    "run": "cnnviz.runs:load_run",
    "file": "cnnviz.networks.file:read",
    "model": "cnnviz.networks.model:of_model",
}
PREPARE = Prepare()


def open(
    where: Any,
    variables: VariablesLike = None,
    *,
    image_shape: Any = None,
    classes: Sequence[str] = (),
    prepare: Prepare = PREPARE,
    name: str | None = None,
    seed: int = 0,
) -> Net:
    """The network at `where`: a run's directory, one of its members or steps, a file, or a model with its variables.

    A run of several seeds gives all its members, `runs/x@3` only that of seed 3; `runs/x:step_400` has the variables
    after that step, if the run keeps them; a `Net` is returned as it is. `seed` is the seed of the untrained twin,
    which is drawn for a file or a model when it is asked for. A model is a Flax module; it comes with its `variables`
    (an NNX module has its own), the shape (h, w, c) of its images (a dict of such shapes for several inputs), and the
    `name`, the classes and the preparation that pictures use. Raises InputError if the path does not exist or cannot be
    read, or if the variables are not those of the model.
    """
    if isinstance(where, Net):
        return where
    if not isinstance(where, str | PathLike):
        own = {"image_shape": image_shape, "classes": classes, "prepare": prepare, "name": name, "seed": seed}
        return resolve(SOURCES, "model", "source of networks")(where, variables, **own)
    if variables is not None or image_shape is not None or classes or prepare != PREPARE or name is not None:
        raise InputError(
            f"{where} is a file or a run, which has its own variables, shape, classes, preparation and name; "
            "leave these arguments out."
        )
    asked = Where.read(where)
    if not asked.path.exists():
        raise InputError(f"{asked.path} does not exist; give a run's directory or a file ({', '.join(READERS)}).")
    if asked.path.suffix not in READERS:
        check_not_foreign(asked.path)
        return resolve(SOURCES, "run", "source of networks")(asked.path, step=asked.step, seed=asked.seed)
    if asked.step is not None or asked.seed is not None:
        raise InputError(f"{asked.path} holds one network, without steps or seeds; only a run has them.")
    return resolve(SOURCES, "file", "source of networks")(asked.path, seed)
