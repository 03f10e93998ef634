"""Which number of a network a metric looks at: a class's logit or probability, or whether the class is predicted."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.explained import Explained
from cnnviz.attribution.inputs import Row
from cnnviz.errors import InputError
from cnnviz.types import LOGITS, Activations, Array, Image, Scalar, Score, Variables


@dataclass(frozen=True)
class Outcome:
    """The score of a row in the terms `of` (`shapes.OF`); the network makes probabilities of its logits by `ending`.

    "logit" is the score that was explained, whatever the target is. The others need a class; of a pair of classes they
    are the difference of both.
    """

    explained: Explained
    of: str
    ending: str

    def __call__(self, variables: Variables, row: Row) -> Score:
        score = self.explained(variables, row)
        if self.of == "logit":
            return score
        classes = row.target if isinstance(row.target, tuple) else (row.target,)
        if not classes:
            raise InputError(f"The {self.of.replace('_', ' ')} needs a class as the target; of others take of='logit'.")

        def outcome(image: Image, offsets: Activations) -> tuple[Scalar, Activations]:
            activations = score(image, offsets)[1]
            this, *that = (number_of(activations[LOGITS], one, self.of, self.ending) for one in classes)
            return (this - that[0] if that else this), activations

        return outcome


def number_of(logits: Array, target: Any, of: str, ending: str) -> Scalar:
    """A class's probability, its logarithm, or 1 if it is the predicted class and else 0."""
    if of == "correct":
        return (jnp.argmax(logits) == target).astype(logits.dtype)
    logs = jax.nn.log_sigmoid(logits) if ending == "sigmoid" else jax.nn.log_softmax(logits)
    return logs[target] if of == "log_probability" else jnp.exp(logs[target])
