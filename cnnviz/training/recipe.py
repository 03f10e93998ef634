"""RECIPES: what a training run is told, the numbers that decide with data and model every bit of the result."""

from dataclasses import dataclass
from typing import Any

from cnnviz.errors import InputError, unknown

OPTIMIZERS = ("adam", "muon")
SCHEDULES = ("constant", "one_cycle")
PRECISIONS = ("float32", "bfloat16")
IMAGES_ON = ("auto", "device", "host")
BOUNDS = {
    "epochs batch_size patience": (lambda value: value >= 1, "at least 1"),
    "learning_rate": (lambda value: 0 < value < float("inf"), "positive and finite"),
    "epsilon shift weight_decay": (lambda value: 0 <= value < float("inf"), "at least 0 and finite"),
    "erase label_smoothing average": (lambda value: 0 <= value < 1, "at least 0 and less than 1"),
}


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
    optimizer: str = "adam"  # or muon, which makes updates of convolutions orthogonal
    epsilon: float = 1e-7  # Keras's; optax has 1e-8
    patience: int = 2
    validation: float = 0.2
    seed: int = 0
    schedule: str = "constant"  # one_cycle rises to the learning rate in a fifth of all steps, then falls by a cosine
    weight_decay: float = 0.0  # AdamW's, and Muon's
    shift: int = 0  # pixels up, down, left or right, at most
    flip: bool = False  # half of the images, left for right
    erase: float = 0.0  # probability that a rectangle of an image is erased
    label_smoothing: float = 0.0  # share of a label's weight that is spread over all classes
    average: float = 0.0  # decay of the average of the parameters that is evaluated and kept; 0 for none
    precision: str = "float32"  # of what is computed; parameters are float32 always

    def __post_init__(self):
        for name, value in vars(self).items():
            _check_kind(name, value, type(getattr(Recipe, name)))
        check_seed(self.seed)
        for names, (fits, what) in BOUNDS.items():
            for name in names.split():
                if not fits(getattr(self, name)):
                    raise InputError(f"{name} must be {what}; it was {getattr(self, name)}.")
        if not 0 < self.validation < 1:
            raise InputError(f"validation is a share of the training images between 0 and 1; it was {self.validation}.")
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)


def _check_kind(name: str, value: Any, usual: type) -> None:
    """An InputError for a number of another kind; a whole one will do where any is wanted, and True is no number."""
    fits = isinstance(value, (int, float) if usual is float else usual)
    if not fits or isinstance(value, bool) != (usual is bool):
        raise InputError(f"{name} is {value!r}; it must be of the kind {usual.__name__}.")


def seeds_of(recipe: Recipe, count: int) -> range:
    """`count` seeds from the recipe's on; too few, or one too large, are an InputError."""
    if count < 1:
        raise InputError(f"seeds must be at least 1; it was {count}.")
    check_seed(recipe.seed + count - 1)
    return range(recipe.seed, recipe.seed + count)


RECIPES = {
    "classic": Recipe(),
    "fast": Recipe(
        epochs=4,
        batch_size=128,
        learning_rate=6e-3,
        optimizer="muon",
        patience=4,
        validation=0.1,
        schedule="one_cycle",
        weight_decay=0.05,
        label_smoothing=0.05,
        average=0.99,
    ),
    "best": Recipe(
        epochs=40,
        batch_size=128,
        learning_rate=4e-3,
        patience=40,
        validation=0.1,
        schedule="one_cycle",
        weight_decay=0.05,
        shift=1,
        average=0.999,
    ),
}
