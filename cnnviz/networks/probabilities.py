"""Class probabilities from logits, as the network itself makes them."""

import numpy as np
from jaxtyping import Float

Probabilities = Float[np.ndarray, "n classes"]


def probabilities(logits: Float[np.ndarray, "n k"], ending: str) -> Probabilities:
    """The probabilities of each class: a softmax, or where the network ends in a sigmoid, each class by itself.

    One logit before a sigmoid tells two classes apart, whose probabilities are 1 - p and p.
    """
    logits = np.asarray(logits, np.float64)
    if ending != "sigmoid":
        return softmax(logits)
    return sigmoid(both(logits) if logits.shape[1] == 1 else logits)


def both(logits: Float[np.ndarray, "n 1"]) -> Float[np.ndarray, "n 2"]:
    """The logits of two classes, -z and z, of one logit z that tells them apart."""
    return np.concatenate([-logits, logits], axis=1)


def softmax(logits: Float[np.ndarray, "n k"]) -> Probabilities:
    """The softmax over each row, computed without overflow; NaN where a logit is NaN or plus infinity."""
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits: Float[np.ndarray, "n k"]) -> Probabilities:
    """The logistic function of each value, computed without overflow."""
    power = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, power) / (1 + power)
