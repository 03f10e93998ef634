"""A model that returns several arrays, as the one whose logits one of them is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnviz.probe.calls import initial_variables
from cnnviz.probe.capture import Adapter, Recording, record
from cnnviz.probe.outputs import logits_among, named_outputs
from cnnviz.types import Array, Key, PyTree, Variables


@dataclass(frozen=True)
class OneOutput(Adapter):
    """The model with `output` as its logits, by its place or the last part of it; its layers are all the model's."""

    model: Any
    output: str

    @property
    def is_drawable(self) -> bool:
        """Whether the model can be drawn anew."""
        return not isinstance(self.model, Adapter) or self.model.is_drawable

    def apply(self, variables: Variables, images: PyTree, **call: Any) -> PyTree:
        """The output's value for images `[n, ..., c]`, in evaluation mode."""
        return self._one(record(self.model, variables, images, call).output)

    def record(self, variables: Variables, images: PyTree, call: Mapping[str, Any]) -> Recording:
        """As `capture.record`, with one output. Raises InputError if the model has no such one."""
        found = record(self.model, variables, images, call)
        return replace(found, output=self._one(found.output))

    def init(self, key: Key, images: PyTree) -> dict[str, PyTree]:
        """The model's variables, drawn from the key."""
        return initial_variables(self.model, key, images)

    def _one(self, returned: PyTree) -> Array:
        outputs = named_outputs(returned)
        return outputs[logits_among(outputs, self.output)]
