"""What a measure is, and what all measures ask of their arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from cnnviz.comparison.measures.hsic import inner
from cnnviz.errors import InputError, InputTypeError, check_known

LEAST = 4  # images: unbiased HSIC divides by n - 3
DOUBLE = 2**27  # bytes: up to here arrays are computed with in float64, larger ones in float32 if they are float32

Features = Float[np.ndarray, "n p"]


@dataclass(frozen=True)
class Measure:
    """A similarity of two representations; its fields are its options.

    `most` is how many images it can take of many layers at once, because it keeps a value for each pair of images;
    None if it can take any number. `invariant_to` says what may be done to either representation without any change.
    """

    most: ClassVar[int | None] = None
    symmetric: ClassVar[bool] = True
    invariant_to: ClassVar[tuple[str, ...]] = ("orthogonal", "scale", "translation")

    def __call__(self, X: Any, Y: Any, **options: Any) -> float:
        """The similarity of representations `[n, p]` and `[n, q]` of the same n images.

        Raises InputError if the numbers of images differ, for fewer than four images, for values that are NaN or
        infinite, and for a representation that is constant over the images.
        """
        for option in options:
            check_known(f"option of {type(self).__name__}", option, [field.name for field in fields(self)])
        measure, (x, y) = replace(self, **options), checked_pair(X, Y)
        return measure.compare(measure.prepare(x), measure.prepare(y))

    def prepare(self, x: Features) -> Any:
        """What the measure needs of one representation."""
        raise NotImplementedError

    def compare(self, a: Any, b: Any) -> float:
        """The similarity of two prepared representations."""
        raise NotImplementedError

    def compare_all(self, rows: Sequence[Any], columns: Sequence[Any]) -> np.ndarray:
        """The similarities `[rows, columns]` of prepared representations."""
        return np.array([[self.compare(a, b) for b in columns] for a in rows])

    def shuffled(self, prepared: Any, order: np.ndarray) -> Any:
        """The same representation with its images in another order."""
        raise NotImplementedError


def checked_pair(X: Any, Y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both representations as arrays of floats; raises InputError as `Measure` says."""
    x, y = checked(X, "X"), checked(Y, "Y")
    if len(x) != len(y):
        raise InputError(f"X and Y have one row per image, the same images in both; they have {len(x)} and {len(y)}.")
    for name, values in (("X", x), ("Y", y)):
        if is_constant(values):
            raise InputError(f"{name} is the same for all {len(values)} images, so it is similar to nothing.")
    return x, y


def checked(given: Any, name: str) -> Features:
    """One representation as an array of floats."""
    values = np.asarray(given)
    if values.dtype.kind not in "fiub":
        if values.dtype.name != "bfloat16":
            raise InputTypeError(f"{name} is an array of real numbers; its type is {values.dtype}.")
        values = values.astype(np.float32)
    if values.ndim != 2:
        shape = f"{name} has one row per image and one column per feature; its shape is {values.shape}"
        raise InputError(f"{shape}. Flatten each image's values: {name}.reshape(len({name}), -1).")
    if len(values) < LEAST:
        raise InputError(f"A similarity needs at least {LEAST} images; {name} has {len(values)}.")
    if values.shape[1] == 0:
        raise InputError(f"{name} has no features; its shape is {values.shape}.")
    exact = values.dtype == np.float64 or values.dtype.kind in "iub" or values.size * 8 <= DOUBLE
    values = values.astype(np.float64 if exact else np.float32, copy=False)
    if not np.isfinite([values.min(), values.max()]).all():  # both are NaN if a value is
        count = values.size - int(np.isfinite(values).sum())
        raise InputError(f"{name} has {count:,} values that are NaN or infinite, which no similarity can take.")
    return values


def is_constant(values: Features) -> bool:
    """Whether every feature has one value for all images."""
    return bool((values[1] == values[0]).all() and (values == values[:1]).all())  # most differ in the first two rows


def centered(x: Features) -> Features:
    """The values minus each feature's mean over the images, scaled to about 1 so that squares stay finite."""
    mean = x.mean(axis=0, keepdims=True, dtype=np.float64)
    shifted = x - mean.astype(x.dtype)
    scale = max(shifted.max(), -shifted.min())
    shifted /= scale if scale > 0 else 1
    return shifted


def tolerance(x: Features) -> float:
    """The share of the greatest singular value below which another one is rounding, of the features' own type."""
    single = np.array_equal(x.astype(np.float32), x)  # float32 values, perhaps stored as float64
    return 32 * float(np.finfo(np.float32).eps) if single else max(x.shape) * float(np.finfo(np.float64).eps)


class OfPairs(Measure):
    """A measure that keeps a matrix `[n, n]` of norm 1, whose similarity is the inner product of two of them."""

    most = 2000

    def compare(self, a: np.ndarray, b: np.ndarray) -> float:
        """The inner product."""
        return 1.0 if a is b else inner(a, b)

    def compare_all(self, rows: Sequence[np.ndarray], columns: Sequence[np.ndarray]) -> np.ndarray:
        """All inner products as one product of matrices."""
        flat = lambda matrices: np.stack([each.ravel() for each in matrices])
        found = (flat(rows) @ flat(columns).T).astype(np.float64)
        same = np.array([[a is b for b in columns] for a in rows])
        return np.where(same, 1.0, found)

    def shuffled(self, prepared: np.ndarray, order: np.ndarray) -> np.ndarray:
        """The matrix with rows and columns in another order."""
        return prepared[np.ix_(order, order)]
