"""A run's config.json: everything that decides its result, checked when it is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import jax

from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.models.own import blamed, is_own, source_digest
from cnnviz.networks import Prepare, as_options, build
from cnnviz.runs import continued, inside, json_files
from cnnviz.runs.json_files import (
    anything,
    flag,
    integer,
    list_of,
    mapping_of,
    maybe,
    number,
    record,
    sha256,
    text,
    whole_number,
)
from cnnviz.runs.keep import Keep
from cnnviz.training.recipe import Recipe, seeds_of
from cnnviz.training.state import State, initial_state
from cnnviz.types import PyTree

FORMAT = 1
DATA = {
    "name": text,
    "title": text,
    "fingerprint": text,
    "classes": list_of(text, least=1),
    "image_shape": list_of(whole_number(1), least=2, most=4),
    "limit": maybe(whole_number(1)),
    "dir": maybe(text),
}
READING = {"resize": maybe(list_of(whole_number(1), least=2, most=2)), "skip_unreadable": flag}
KEEP = {"last": whole_number(1), "every": maybe(whole_number(1)), "snapshots": list_of(whole_number(1))}
KINDS = {int: integer, float: number, str: text, bool: flag}
RECIPE = {field.name: KINDS[type(field.default)] for field in fields(Recipe)}  # bounds are checked by the class
FORMATS = {
    1: record(
        {"model": text, "recipe": record({}, RECIPE), "data": record(DATA, READING)},
        {
            "format": anything,
            "seeds": whole_number(1),
            "prepare": anything,  # checked by Prepare
            "keep": record({}, KEEP),
            "track": list_of(text),
            "model_options": mapping_of(anything),  # checked by the model
            "model_source": maybe(sha256),  # of a class that is not one of ours
            "init_from": record({"source": text, "redrawn": list_of(text)}),  # whose weights it began with
        },
    )
}


@dataclass(frozen=True)
class Config(Mapping[str, Any]):
    """The content of a run's config.json, as a mapping, with the objects derived from it."""

    content: Mapping[str, Any]

    @classmethod
    def read(cls, run: Path) -> "Config":
        """The config of the run in a directory; raises InputError if config.json is missing or damaged."""
        file = file_of(run)
        config = cls(json_files.read(file, FORMATS))
        try:
            config = cls(continued.applied(run, config, config.recipe.epochs))
            config.prepare.check(config.image_shape[-1])
            _ = config.seeds, config.is_own or config.model
        except ValueError as error:
            raise json_files.damaged(file, error) from error
        return config

    def __getitem__(self, name: str) -> Any:
        return self.content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    @cached_property
    def recipe(self) -> Recipe:
        """How its networks are trained."""
        return Recipe(**self["recipe"])

    @cached_property
    def prepare(self) -> Prepare:
        """How uint8 images become the networks' float32 inputs."""
        return Prepare.read(self.get("prepare"))

    @property
    def begun(self) -> int:
        """The epoch after which its training last went on when it had been finished; 0 if it never did."""
        return max(self.get("continued", [0]))

    @cached_property
    def keep(self) -> Keep:
        """Which checkpoints it keeps."""
        return Keep(**self.get("keep", {}))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each member, in order."""
        return tuple(seeds_of(self.recipe, self.get("seeds", 1)))

    @property
    def suffixes(self) -> list[str]:
        """The suffix of each member's file names; it is empty if there is only one member."""
        return [f"-seed{seed}" for seed in self.seeds] if len(self.seeds) > 1 else [""]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of one image: (h, w, c) of a picture, (t, c) of a signal, (d, h, w, c) of a volume."""
        return tuple(self["data"]["image_shape"])

    @cached_property
    def model(self) -> Any:
        """The Flax module, with one output per class.

        Raises InputError if it is of a class that is not one of ours and is not in MODELS: a run imports nothing.
        """
        if self.is_own and self["model"] not in MODELS:
            how = self["model"] if ":" in self["model"] else "path/to/net.py:Net"
            raise InputError(
                f"The run is of a class that is not one of cnnviz's, and a run never imports one by itself: add "
                f"--model {how} if you trust it (in Python: cnnviz.models.MODELS[{self['model']!r}] = the class)."
            )
        return build(self["model"], self.model_options, len(self["data"]["classes"]), self.image_shape)

    @property
    def is_own(self) -> bool:
        """Whether the model is of a class that is not one of ours."""
        return "model_source" in self or is_own(self["model"])

    @property
    def model_options(self) -> dict[str, Any]:
        """The options that the model was made with."""
        return as_options(self.get("model_options", {}))

    @property
    def changed_source(self) -> str:
        """A sentence if the source of the model's class is not what it was when training began; else empty."""
        recorded, made = self.get("model_source"), MODELS.get(self["model"])
        if recorded is None or made is None or source_digest(made) == recorded:
            return ""
        return f"The source of {self['model']} was changed since training began; the weights are those of the old one."

    def fresh(self) -> list[State]:
        """The members' states before the first step."""
        return [initial_state(self.model, self.recipe, self.image_shape, jax.random.key(seed)) for seed in self.seeds]

    def trees(self, states: Sequence[State]) -> dict[str, PyTree]:
        """The trees of a checkpoint of the members' states, by the name of their file."""
        named = list(zip(self.suffixes, states, strict=True))
        models = {f"model{name}": state.variables for name, state in named}
        return models | {f"training{name}": state for name, state in named}

    def shapes(self) -> State:
        """The shapes and dtypes of one member's state; they are the same for all members."""
        one = lambda: initial_state(self.model, self.recipe, self.image_shape, jax.random.key(self.recipe.seed))
        _ = self.model  # made outside of the trace
        with blamed(f"The model {self['model']}"):  # whose options may be anything
            return jax.eval_shape(one)


def file_of(run: Path) -> Path:
    """The config.json of the run in a directory; raises InputError if it is missing."""
    file = run / "config.json"
    if not inside.is_file(file):
        raise no_run(run)
    return file
