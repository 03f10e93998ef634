"""A model that first subtracts a constant from its images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnviz.probe import Adapter
from cnnviz.probe.capture import Recording, record
from cnnviz.types import PyTree, Variables


@dataclass(frozen=True)
class Shifted(Adapter):
    """The model whose answer to images plus `shift` is that of `model` to the images."""

    model: Any
    shift: float

    def apply(self, variables: Variables, images: PyTree, **call: Any) -> PyTree:
        """The model's output for images `[n, ..., c]` without the shift."""
        return self.model.apply(variables, images - self.shift, **call)

    def record(self, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
        """The model's call, whose layers keep their names."""
        return record(self.model, variables, images - self.shift, call)
