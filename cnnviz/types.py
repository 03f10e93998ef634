"""The shapes, pytrees and callables that every signature is written in."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax import Array
from jaxtyping import Float, Int, Scalar, Shaped

PyTree = Any
Key = Array  # a key from jax.random.key
Variables = Mapping[str, PyTree]  # {"params": ..., "batch_stats": ...}

Image = Float[Array, "h w c"]  # as the run's `prepare` makes it from uint8
Images = Float[Array, "n h w c"]
Given = Shaped[Array | np.ndarray, "..."]  # images as a user gives them: checked, and what is wrong is said
Labels = Int[Array, " n"]
Logits = Float[Array, "n k"]
Activations = dict[str, Float[Array, "..."]]  # layer name -> value for one image, no batch axis

# (image, offsets added to activations) -> (score, activations); a missing offset means zero
Score = Callable[[Image, Activations], tuple[Scalar, Activations]]
