"""The options of `train.py` for the fields of a recipe, each of which overrides one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecipeOptions:
    """Every field of a recipe as an option; None leaves it as the recipe or --config has it."""

    epochs: int | None = None
    """Largest number of passes over the training images (fast: 4, classic: 20, best: 40)."""
    batch_size: int | None = None
    """Images per step (128, classic: 32)."""
    learning_rate: float | None = None
    """The learning rate, or the highest one of a schedule (fast: 0.006, classic: 0.001, best: 0.004)."""
    patience: int | None = None
    """Epochs without a smaller validation loss after which training stops (fast: 4, classic: 2, best: 40)."""
    validation: float | None = None
    """Share of the training images held out for validation (0.1, classic: 0.2)."""
    seed: int | None = None
    """Random seed of the initial weights, the split, the order of images, dropout and augmentation (0)."""
    precision: str | None = None
    """Precision of the computation: float32, tensorfloat32 or bfloat16 (float32)."""
    optimizer: str | None = None
    """adam, adamw, sgd, rmsprop, or muon for convolution kernels with adam for the rest (fast: muon, else adam)."""
    momentum: float | None = None
    """Momentum of the optimizer sgd (0.9)."""
    epsilon: float | None = None
    """Added to the denominators of adam, rmsprop and muon (1e-7)."""
    weight_decay: float | None = None
    """Weight decay, decoupled with adam and muon, else added to the gradient (classic: 0, fast and best: 0.05)."""
    schedule: str | None = None
    """The learning rate over the steps: constant, one_cycle (up, then down), cosine or linear, down to 0 (classic:
    constant, fast and best: one_cycle)."""
    warmup: float | None = None
    """Epochs in which the learning rate rises linearly at the start (0; in one_cycle a fifth of all)."""
    gradient_clip: float | None = None
    """Scale a gradient with a larger norm, over all parameters, down to this one; 0 for no clipping (0)."""
    average: float | None = None
    """Decay of the moving average of the weights that is evaluated and kept; 0 for none (fast: 0.99, best: 0.999)."""
    label_smoothing: float | None = None
    """Share of a label's weight that is spread over all classes (fast: 0.05, else 0)."""
    class_weights: str | None = None
    """Weight of each class in the loss: none, balanced (all classes weigh equally), or "cat=2,dog=0.5" (none)."""
    shift: int | None = None
    """Shift training images at random by at most N pixels (best: 1, else 0)."""
    crop: float | None = None
    """Crop training images at random to at least this share of their area, and resize them; 1 for no crop (1)."""
    flip: bool | None = None
    """Flip half of the training images left to right; --no-flip for none."""
    flip_vertical: bool | None = None
    """Flip half of the training images upside down; --no-flip-vertical for none."""
    erase: float | None = None
    """Probability that a random rectangle of a training image is erased (0)."""
