"""The shapes, pytrees and callables that every signature is written in."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jaxtyping import Bool as Bool
from jaxtyping import Float, Int, Scalar, Shaped

PyTree = Any
Key = Array  # a key from jax.random.key
Variables = Mapping[str, PyTree]  # {"params": ..., "batch_stats": ...}
VariablesLike = Any  # variables as a user gives them: those, or a Flax TrainState; checked by probe.as_variables
LayerNames = Any  # layers as a user asks for them: names, patterns, kinds, numbers, or None for all; see probe.find

Image = Float[Array, "*places c"]  # "h w c" for a picture, "t c" for a signal; as `prepare` makes it from uint8
Images = Float[Array, "n *places c"]
Given = Shaped[Array | np.ndarray, "..."]  # images as a user gives them, checked with an error of our own
Labels = Int[Array, " n"]
Logits = Float[Array, "n k"]
Activations = dict[str, Float[Array, "..."]]  # layer name -> value for one image, no batch axis

LOGITS = "//logits"  # among a score's activations, the name of the logits; a layer of this name is refused


class Outputs(NamedTuple):
    """The logits of one image, before any softmax that the network ends in, and the value of every layer."""

    logits: Float[Array, "..."]
    activations: Activations


# Both take an image and offsets added to activations; a missing offset means zero.
Network = Callable[[Image, Activations], Outputs]
Score = Callable[[Image, Activations], tuple[Scalar, Activations]]  # the logits are among the activations, as LOGITS
Send = Callable[[Callable[[], Any]], Any]  # calls a function of no arguments, perhaps from another thread
