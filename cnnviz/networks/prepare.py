"""The preprocessing of uint8 images into a network's float32 inputs, described as data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.types import Array, Float, Given

CHUNK = 4096  # images that are counted at a time
OLDEST = "float32(pixel) / 255"  # the description in runs before there were numbers


@dataclass(frozen=True)
class Prepare:
    """(pixel * scale - mean) / deviation in float32; mean and deviation have one number, one per channel, or none.

    Raises InputError if the scale or a deviation is not positive and finite, or a mean is not finite.
    """

    scale: int | float = 1 / 255
    mean: tuple[int | float, ...] = ()
    deviation: tuple[int | float, ...] = ()

    def __post_init__(self):
        if not 0 < self.scale < float("inf"):
            raise InputError(f"prepare.scale is a positive, finite number; it was {self.scale!r}.")
        if not all(0 < value < float("inf") for value in self.deviation):
            raise InputError(f"prepare.deviation has positive, finite numbers; it was {list(self.deviation)}.")
        if not all(-float("inf") < value < float("inf") for value in self.mean):
            raise InputError(f"prepare.mean has finite numbers; it was {list(self.mean)}.")

    @classmethod
    def normalizing(cls, images: UInt8[np.ndarray, "n h w c"]) -> "Prepare":
        """Brings each channel of these images, scaled to 0..1, to mean 0 and deviation 1; a constant one to 0 alone."""
        values, channels = np.arange(256) / 255, range(images.shape[-1])
        counts = np.zeros((len(channels), 256), np.int64)
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            counts += np.stack([np.bincount(chunk[..., c].ravel(), minlength=256) for c in channels])
        shares = counts / counts.sum(1, keepdims=True)
        means = shares @ values
        deviations = np.sqrt((shares * (values - means[:, None]) ** 2).sum(1))
        rounded = lambda numbers: tuple(round(float(number), 6) for number in numbers)
        return cls(mean=rounded(means), deviation=rounded(np.where(deviations > 0, deviations, 1)))

    def __call__(self, images: Given) -> Float[Array, "..."]:
        """uint8 images `[... h w c]` as float32 of the same shape; raises InputError like `check`."""
        self.check(images.shape[-1])
        prepared = jnp.asarray(images, jnp.float32) / (1 / self.scale)  # so that a scale of 1/255 is a division by 255
        if self.mean:
            prepared = prepared - jnp.asarray(self.mean, jnp.float32).reshape((1,) * (images.ndim - 1) + (-1,))
        if self.deviation:
            prepared = prepared / jnp.asarray(self.deviation, jnp.float32).reshape((1,) * (images.ndim - 1) + (-1,))
        return prepared

    def check(self, channels: int) -> None:
        """Raises InputError if the mean or the deviation does not fit images with this number of channels."""
        for name in ("mean", "deviation"):
            count = len(getattr(self, name))
            if count not in (0, 1, channels):
                raise InputError(
                    f"prepare.{name} has {counted(count, 'number')}; images of {counted(channels, 'channel')} need "
                    f"{channels}."
                )

    @classmethod
    def read(cls, described: Any) -> "Prepare":
        """The preparation that a config describes: a mapping of the fields, or the sentence in older runs.

        Raises InputError for any other description.
        """
        if described == OLDEST or described is None:
            return cls()
        known = [field.name for field in fields(cls)]
        if not isinstance(described, Mapping) or not set(described) <= set(known):
            raise InputError(f"prepare is a mapping of {', '.join(known)}; it was {described!r}.")
        for name in ("mean", "deviation"):
            if not isinstance(described.get(name, []), list | tuple):
                raise InputError(f"prepare.{name} is a list of numbers; it was {described[name]!r}.")
        numbers = {name: _numbers(value) for name, value in described.items()}
        return cls(**numbers)

    def described(self) -> dict[str, Any]:
        """The fields as JSON values, which `read` turns back into the same preparation."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _numbers(value: Any) -> Any:
    """A number, or a tuple of the numbers in a list; raises InputError for anything else."""
    if isinstance(value, list | tuple):
        return tuple(map(_numbers, value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"prepare holds numbers; {value!r} is not one.")
    return float(value)
