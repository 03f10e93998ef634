"""A network with everything that the pictures need, independent of its source."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from jax.tree_util import SequenceKey, register_pytree_with_keys_class

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted, size
from cnnviz.kernels import parameter_count
from cnnviz.networks.prepare import Prepare
from cnnviz.probe import Layer, OneOutput, find, find_one, output_shape
from cnnviz.probe import ending as ending_of
from cnnviz.probe import layers as layers_of
from cnnviz.probe.table import Layers
from cnnviz.types import LayerNames, Variables


@register_pytree_with_keys_class
class Members(list[Any]):
    """The variables of several networks: a list, also to JAX, that prints how many there are and of what size."""

    def __repr__(self) -> str:
        sizes = sorted({f"{parameter_count(variables):,}" for variables in self})
        return f"{type(self).__name__}({', '.join([counted(len(self), 'network'), *sizes])} parameters)"

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], None]:
        """The variables in their order."""
        return [(SequenceKey(place), variables) for place, variables in enumerate(self)], None

    @classmethod
    def tree_unflatten(cls, nothing: None, variables: Iterable[Any]) -> "Members":
        """The list of these variables."""
        return cls(variables)


@dataclass(frozen=True, repr=False)
class Net:
    """A model and its variables, with the shape `(h, w, c)` of its images and the names of its classes.

    The images of a network for signals are `(t, c)`, those of one for volumes `(d, h, w, c)`. A network of several
    inputs has the shape of each in `inputs`, and in `image_shape` that of the first which is a picture.

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
    inputs: Any = None

    def __post_init__(self) -> None:
        for name in ("members", "beginnings"):
            if isinstance(given := getattr(self, name), list):
                object.__setattr__(self, name, Members(given))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._facts)})"

    def _repr_html_(self) -> str:
        """What it is, and the table of its layers, as a notebook shows it."""
        return f"<p>{escape(', '.join(self._facts))}</p>{Layers(self.layers)._repr_html_()}"

    @property
    def _facts(self) -> list[str]:
        """What a person would say of the network first, without computing anything."""
        sides = size(self.image_shape)
        facts = [repr(self.name), type(self.model).__name__, f"{parameter_count(self.variables):,} parameters"]
        facts += [f"images {sides}"] + ([counted(len(self.classes), "class")] if self.classes else [])
        facts += [f"data set {self.dataset!r}"] if self.dataset else []
        facts += [f"{len(self.members)} members"] if len(self.members) > 1 else []
        epochs = max((int(record["epoch"]) for record in self.history if "epoch" in record), default=0)
        return facts + ([counted(epochs, "epoch")] if epochs else [])

    @property
    def variables(self) -> Variables:
        """The variables of the first member."""
        return self.members[0]

    @property
    def untrained(self) -> Variables:
        """The variables of the first member before its first step; raises InputError if they are not known."""
        if not self.beginnings:
            raise InputError(f"{self.name} has no untrained variables: its module cannot be drawn again.")
        return self.beginnings[0]

    @property
    def folder(self) -> Path:
        """The default folder of its pictures."""
        return self.path / "figures" if self.path else Path("figures") / self.name

    @property
    def title(self) -> str:
        """The name, followed by the data set that it was trained on and by the one of several outputs that was chosen.

        The data set is left out if it is not known or has the same name.
        """
        about = [self.dataset] if self.dataset not in ("", self.name) else []
        about += [f"output {self.output}"] if self.output else []
        return f"{self.name} ({', '.join(about)})" if about else self.name

    @property
    def output(self) -> str:
        """The one of several outputs that was chosen; empty if none was."""
        return self.model.output if isinstance(self.model, OneOutput) else ""

    @property
    def takes(self) -> Any:
        """The shape of one image, or of each of several inputs, as `probe.layers` takes it."""
        return self.image_shape if self.inputs is None else self.inputs

    @cached_property
    def layers(self) -> list[Layer]:
        """All layers in order of execution."""
        return layers_of(self.model, self.variables, self.takes)

    @cached_property
    def ending(self) -> str:
        """What the network makes of its logits: "softmax", "sigmoid" (each class by itself) or "none"."""
        return ending_of(self.model, self.variables, self.takes)

    @cached_property
    def class_count(self) -> int:
        """How many classes it tells apart: one per logit, or two by one logit before a sigmoid."""
        *_, count = output_shape(self.model, self.variables, self.takes)
        return 2 if count == 1 and self.ending == "sigmoid" else count

    def layer(self, asked: LayerNames) -> Layer:
        """The layer of this name, pattern, kind or number; raises InputError unless it means exactly one."""
        name = find_one(asked, self.layers)
        return next(layer for layer in self.layers if layer.name == name)

    def find(self, asked: LayerNames) -> list[Layer]:
        """The layers of this name, pattern, kind or number; raises InputError if there are none."""
        names = find(asked, self.layers)
        return [layer for layer in self.layers if layer.name in names]

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
