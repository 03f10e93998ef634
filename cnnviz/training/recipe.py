"""What a training run is told: the numbers that, with the data and the model, decide every bit of the result."""

from dataclasses import dataclass

from cnnviz.errors import InputError


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

    def __post_init__(self):
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; it was {getattr(self, name)}.")
        if not 0 < self.validation < 1:
            raise InputError(f"validation is a share of the training images between 0 and 1; it was {self.validation}.")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be positive; it was {self.learning_rate}.")
