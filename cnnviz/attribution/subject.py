"""The model that is explained and how it is called, as one value that a compilation depends on."""

from dataclasses import dataclass
from typing import Any

from cnnviz import probe
from cnnviz.probe.inputs import Inputs, constants
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.trace import Static
from cnnviz.types import Array, Score, Variables


@dataclass(frozen=True)
class Subject:
    """A model, the arguments of its call that are the same for all images, and the output that its logits are."""

    model: Static
    call: Static
    output: OutputName

    @classmethod
    def of(cls, model: Any, call: probe.Call, output: OutputName) -> "Subject":
        """The subject of a model that is called like this."""
        return cls(Static(model), Static(constants(call)), output)

    def options(self, inputs: Inputs) -> dict[str, Any]:
        """How the functions of `probe` are asked for these inputs."""
        return {"call": {**self.call.value, **inputs.rows}, "output": self.output}

    def logits(self, variables: Variables, inputs: Inputs) -> Array:
        """The logits `[n, ...]` of these inputs."""
        return probe.logits(self.model.value, variables, inputs.images, **self.options(inputs))

    def score(self, variables: Variables, inputs: Inputs, target: Any) -> Score:
        """The score of a target, as a function of the images of `inputs`, whose other rows have the one of an image."""
        return probe.score_of(self.model.value, variables, target, **self.options(inputs))
