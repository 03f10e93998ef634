"""A network with everything that the pictures need, independent of its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnviz.errors import unknown
from cnnviz.networks.prepare import Prepare
from cnnviz.probe import Layer
from cnnviz.probe import layers as layers_of
from cnnviz.types import Variables


@dataclass(frozen=True)
class Net:
    """A model and its variables, with the shape `(h, w, c)` of its images and the names of its classes.

    The images of a network for signals are `(t, c)`, those of one for volumes `(d, h, w, c)`.

    `members` has the variables of one network per seed in `seeds`, or of a single network if `seeds` is empty.
    `beginnings` has the variables of each member before its first step, or freshly drawn ones; it is empty for an NNX
    module, which cannot be drawn again. `data` identifies the data set it was trained on (name, fingerprint, dir),
    `history` has one record per epoch and member, `path` is the directory of the run; they are empty for a network
    that cnnviz did not train.
    """

    name: str
    model: Any
    members: Sequence[Variables]
    beginnings: Sequence[Variables]
    image_shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    dataset: str = ""
    prepare: Prepare = Prepare()
    history: Sequence[Mapping[str, Any]] = ()
    seeds: tuple[int, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def variables(self) -> Variables:
        """The variables of the first member."""
        return self.members[0]

    @property
    def untrained(self) -> Variables:
        """The variables of the first member before its first step."""
        return self.beginnings[0]

    @property
    def folder(self) -> Path:
        """The default folder of its pictures."""
        return self.path / "figures" if self.path else Path("figures") / self.name

    @property
    def title(self) -> str:
        """The name, followed by the data set that it was trained on if that is known."""
        return f"{self.name} ({self.dataset})" if self.dataset else self.name

    @cached_property
    def layers(self) -> list[Layer]:
        """All layers in order of execution."""
        return layers_of(self.model, self.variables, self.image_shape)

    def layer(self, name: str) -> Layer:
        """The layer of this name; raises InputError if the name is unknown."""
        layers = {layer.name: layer for layer in self.layers}
        if name not in layers:
            raise unknown("layer", name, layers)
        return layers[name]

    @property
    def first(self) -> Any:
        """The network of the first member only."""
        return self.only(0) if len(self.members) > 1 else self

    def only(self, place: int) -> Any:
        """The network of one member only; its name says which seed it has and how many members there are."""
        seed = self.seeds[place]
        own = [record for record in self.history if record.get("seed", seed) == seed]
        part = {"members": [self.members[place]], "beginnings": [self.beginnings[place]], "seeds": (seed,)}
        return replace(self, name=f"{self.name} (seed {seed}, one of {len(self.members)})", history=own, **part)
