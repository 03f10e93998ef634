"""A method with everything that it was asked, so that a metric may ask for maps of other images, weights or classes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnnviz.attribution import attribute
from cnnviz.batching import Report
from cnnviz.types import Given, Key, PyTree, Variables

Maps = Callable[..., Any]


@dataclass(frozen=True)
class Explainer:
    """What made the maps: a method, the model, its variables, the images and the targets.

    `targets` are classes, one per image; `options` are other arguments of `attribute` (`call`, `data`, ...).
    """

    method: Any
    model: Any
    variables: Variables
    images: PyTree
    targets: Any
    key: Key | None = None
    batch_size: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def maps(self, report: Report | None = None) -> Given:
        """The maps `[n h w]`."""
        given = self.method, self.model, self.variables, self.images, self.targets
        return attribute(*given, key=self.key, batch_size=self.batch_size, report=report, **self.options)

    def with_(self, **changed: Any) -> "Explainer":
        """The same method asked about other `images`, `targets` or `variables`; with the same key it draws alike."""
        return replace(self, **changed)

    @property
    def classes(self) -> np.ndarray:
        """The class of each image that is explained, `[n]`."""
        return np.broadcast_to(np.asarray(self.targets), (len(self.images),))


@dataclass(frozen=True)
class Control(Explainer):
    """Maps that look at no network: `method` is a function of images and a key (`controls.CONTROLS`)."""

    def maps(self, report: Report | None = None) -> Given:
        """The control's maps `[n h w]`, the same for any variables and targets."""
        return self.method(self.images, self.key)
