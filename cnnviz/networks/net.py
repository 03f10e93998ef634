"""A network with all that is needed to look at it, wherever it came from."""

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
    """A model and its variables, with what it takes and what it tells apart.

    `members` are the variables of each network that was trained with another of the `seeds`; there is one where nothing
    is said of seeds. `beginnings` are the variables of each before its first step, or a fresh draw. `data` says which
    data set it was trained on (name, fingerprint, dir), `history` has a record per epoch, `path` is its run; they are
    empty for a network that was not trained here.
    """

    name: str
    model: Any
    members: Sequence[Variables]
    beginnings: Sequence[Variables]
    image_shape: tuple[int, int, int]
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
        """Where its pictures go by default."""
        return self.path / "figures" if self.path else Path("figures") / self.name

    @property
    def title(self) -> str:
        """The name, with the data set that it was trained on where that is known."""
        return f"{self.name} ({self.dataset})" if self.dataset else self.name

    @cached_property
    def layers(self) -> list[Layer]:
        """Every layer in order of execution."""
        return layers_of(self.model, self.variables, self.image_shape)

    def layer(self, name: str) -> Layer:
        """The layer of this name; raises InputError if there is none."""
        layers = {layer.name: layer for layer in self.layers}
        if name not in layers:
            raise unknown("layer", name, layers)
        return layers[name]

    @property
    def first(self) -> Any:
        """The first member alone, named by its seed where there are several."""
        return self.only(0) if len(self.members) > 1 else self

    def only(self, place: int) -> Any:
        """The member at this place alone; its name says which seed of how many it is."""
        seed = self.seeds[place]
        own = [record for record in self.history if record.get("seed", seed) == seed]
        part = {"members": [self.members[place]], "beginnings": [self.beginnings[place]], "seeds": (seed,)}
        return replace(self, name=f"{self.name} (seed {seed}, one of {len(self.members)})", history=own, **part)
