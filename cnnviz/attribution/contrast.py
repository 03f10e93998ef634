"""A class against several others as the score that is explained, for any method."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Scalar


@dataclass(frozen=True)
class Contrast:
    """What speaks for a class and not for those like it: the mean over classes d of (y_c - alpha y_d), by weight.

    It is a target: `attribute("grad_cam", ..., targets=Contrast(9, (5, 7)))` is Finer-CAM, and any other method takes
    it too. `others` are classes, or how many: those whose logits are nearest to that of class `of`, which is the
    predicted one by default. Weights are the classes' probabilities, held constant, or equal with `weighted` False.
    Zhang et al. 2025, Finer-CAM: spotting the difference reveals finer details for visual explanation, eq. 5
    (arXiv:2501.11309).
    """

    of: int | None = None
    others: int | tuple[int, ...] = 3
    alpha: float = 1.0
    weighted: bool = True

    def __post_init__(self):
        if not isinstance(self.others, int):
            object.__setattr__(self, "others", tuple(self.others))
        if self.others in ((), 0) or (isinstance(self.others, int) and self.others < 0):
            raise InputError(f"A contrast needs at least one other class; others was {self.others!r}.")
        if isinstance(self.others, tuple) and self.of in self.others:
            raise InputError(f"A contrast is of a class with others; {self.of} is among the others {self.others}.")

    def __call__(self, logits: Float[Array, " k"]) -> Scalar:
        named = [*(self.others if isinstance(self.others, tuple) else ()), *([] if self.of is None else [self.of])]
        if wrong := [name for name in named if not 0 <= name < len(logits)]:
            raise InputError(f"A contrast is of classes from 0 to {len(logits) - 1}; it has {wrong[0]}.")
        fixed = jax.lax.stop_gradient(logits)
        this = fixed.argmax() if self.of is None else jnp.asarray(self.of)
        others = self._nearest(fixed, this) if isinstance(self.others, int) else jnp.asarray(self.others)
        weights = jax.nn.softmax(fixed[others]) if self.weighted else 1 / len(others)
        return (weights * (logits[this] - self.alpha * logits[others])).sum()

    def _nearest(self, logits: Float[Array, " k"], this: Array) -> Array:
        """The classes whose logits are nearest to that of class `this`, without it."""
        count = min(int(self.others), len(logits) - 1)  # pyright: ignore[reportArgumentType]
        if not count:
            raise InputError("A contrast needs another class; this model has one output.")
        apart = jnp.where(jnp.arange(len(logits)) == this, -1, jnp.abs(logits - logits[this]))
        return jnp.argsort(apart)[1 : count + 1]
