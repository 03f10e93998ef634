"""RECIPES: what a training run is told, the numbers that decide with data and model every bit of the result."""

from dataclasses import dataclass

from cnnviz.errors import InputError, unknown

SCHEDULES = ("constant", "one_cycle")


def check_seed(seed: int) -> None:
    """An InputError for a seed that no JAX key is made of."""
    if not -(2**63) <= seed < 2**63:
        raise InputError(f"A seed has 64 bits, from -2^63 to 2^63 - 1; it was {seed}.")


@dataclass(frozen=True)
class Recipe:
    """The chapter's recipe: Adam at 1e-3, batches of 32, up to 20 epochs, patience 2 on a fifth held out."""

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    epsilon: float = 1e-7  # Keras's; optax has 1e-8
    patience: int = 2
    validation: float = 0.2
    seed: int = 0
    schedule: str = "constant"  # one_cycle rises to the learning rate in a fifth of all steps, then falls by a cosine
    weight_decay: float = 0.0  # AdamW's

    def __post_init__(self):
        for name, value in vars(self).items():
            usual = type(getattr(Recipe, name))
            if isinstance(value, bool) or not isinstance(value, (int, float) if usual is float else usual):
                raise InputError(f"{name} is {value!r}; it must be of the kind {usual.__name__}.")
        check_seed(self.seed)
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; it was {getattr(self, name)}.")
        if not 0 < self.validation < 1:
            raise InputError(f"validation is a share of the training images between 0 and 1; it was {self.validation}.")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"learning_rate must be positive and finite; it was {self.learning_rate}.")
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)


RECIPES = {
    "classic": Recipe(),
    "fast": Recipe(epochs=6, batch_size=64, learning_rate=3e-3, patience=6, schedule="one_cycle", weight_decay=1e-4),
}
