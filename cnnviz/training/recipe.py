"""RECIPES: the hyperparameters of a training, which with data and model determine every bit of the result."""

from dataclasses import dataclass
from typing import Any

from cnnviz.errors import OptionError, unknown
from cnnviz.errors.wording import counted
from cnnviz.training.class_weights import check_class_weights

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "muon")
SCHEDULES = ("constant", "one_cycle", "cosine", "linear")
PRECISIONS = ("float32", "tensorfloat32", "bfloat16")  # tensorfloat32 rounds the factors of products, on GPUs
IMAGES_ON = ("auto", "device", "host")
LEAST, MOST = 1.2e-38, 3.4e38  # the range of float32 in which numbers have all their digits, but for zero
BOUNDS = {
    "epochs batch_size patience": (lambda value: value >= 1, "at least 1"),
    "learning_rate": (lambda value: LEAST <= value <= MOST, "positive and finite in float32"),
    "epsilon shift weight_decay warmup gradient_clip": (
        lambda value: value == 0 or LEAST <= value <= MOST,
        "at least 0 and finite in float32",
    ),
    "erase label_smoothing average momentum": (lambda value: 0 <= value < 1, "at least 0 and less than 1"),
    "crop": (lambda value: 0 < value <= 1, "more than 0 and at most 1"),
}


def check_seed(seed: int) -> None:
    """Raises InputError if `jax.random.key` cannot take the seed."""
    if not -(2**63) <= seed < 2**63:
        raise OptionError(f"seed must be from -2^63 to 2^63 - 1; it was {seed}.")


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training; the defaults are the book chapter's.

    These are Adam at 1e-3, batches of 32, at most 20 epochs, and patience 2 with a fifth of the images for validation.
    Raises InputError if a value has the wrong type or is out of range.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adam"  # one of OPTIMIZERS; with a weight decay, adam is AdamW
    epsilon: float = 1e-7  # as in Keras; the default of optax is 1e-8
    patience: int = 2
    validation: float = 0.2
    seed: int = 0
    schedule: str = "constant"  # one of SCHEDULES: what the learning rate does after it has risen
    weight_decay: float = 0.0  # decoupled with adam and muon, added to the gradient with sgd and rmsprop
    shift: int = 0  # pixels up, down, left or right, at most
    flip: bool = False  # half of the images, left to right
    erase: float = 0.0  # probability that a rectangle of an image is erased
    label_smoothing: float = 0.0  # share of a label's weight that is spread over all classes
    average: float = 0.0  # decay of the moving average that is evaluated and kept; 0 for no average
    precision: str = "float32"  # of the computation; parameters are always float32
    momentum: float = 0.9  # of sgd
    warmup: float = 0.0  # epochs in which the learning rate rises; with 0, one_cycle rises in a fifth of all steps
    gradient_clip: float = 0.0  # largest norm of the gradient over all parameters; 0 for no clipping
    class_weights: str = "none"  # balanced, or "cat=2,dog=0.5": the weight of each class's images in the loss
    flip_vertical: bool = False  # half of the images, upside down
    crop: float = 1.0  # smallest share of an image's area in a random crop, which is resized; 1 for no crop

    def __post_init__(self):
        for name, value in vars(self).items():
            _check_type(name, value, type(getattr(Recipe, name)))
        check_seed(self.seed)
        for names, (fits, what) in BOUNDS.items():
            for name in names.split():
                if not fits(getattr(self, name)):
                    raise OptionError(f"{name} must be {what}; it was {getattr(self, name)}.")
        if not 0 < self.validation < 1:
            raise OptionError(
                f"validation must be a share of the training images between 0 and 1; it was {self.validation}."
            )
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        check_class_weights(self.class_weights)
        if self.warmup >= self.epochs:
            raise OptionError(
                f"warmup must be shorter than the training of {counted(self.epochs, 'epoch')}; it was {self.warmup:g}."
            )
        if self.optimizer == "adamw" and not self.weight_decay:
            raise OptionError("optimizer adamw needs a weight decay, which is 0; give one, such as 0.01, or take adam.")

    def described(self) -> str:
        """The recipe in RECIPES that is nearest, and what differs from it: "fast with epochs 8"."""
        apart = {name: _apart(self, other) for name, other in RECIPES.items()}
        nearest = min(apart, key=lambda name: len(apart[name]))
        changes = ", ".join(f"{name} {getattr(self, name)}" for name in apart[nearest])
        return f"{nearest} with {changes}" if changes else nearest


def _apart(one: Recipe, other: Recipe) -> list[str]:
    """The fields that differ, but the seed."""
    return [name for name, value in vars(one).items() if name != "seed" and value != getattr(other, name)]


def _check_type(name: str, value: Any, expected: type) -> None:
    """Raises InputError for a value of another type; an int may stand for a float, but a bool is not an int."""
    fits = isinstance(value, (int, float) if expected is float else expected)
    if not fits or isinstance(value, bool) != (expected is bool):
        raise OptionError(f"{name} must be of type {expected.__name__}; it was {value!r}.")


def seeds_of(recipe: Recipe, count: int) -> range:
    """`count` consecutive seeds, the first one the recipe's.

    Raises InputError if `count` is less than 1 or a seed is too large.
    """
    if count < 1:
        raise OptionError(f"seeds must be at least 1; it was {count}.")
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
