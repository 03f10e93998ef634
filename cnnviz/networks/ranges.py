"""Ranges of values that networks are usually trained on, compared on labelled images."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from cnnviz import probe
from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.networks.probabilities import probabilities

USUAL = {
    "0 to 1": Prepare(),
    "0 to 255": Prepare(scale=1.0),
    "-1 to 1": Prepare(scale=1 / 127.5, mean=(1.0,)),
}
ROWS = 64  # images that are compared
ERRORS = 3  # standard errors by which a range is better than another
LEAST = 1e-12  # probability in a loss


@dataclass(frozen=True)
class Fit:
    """How well a network does on images prepared in one way: which are right, and each one's cross-entropy."""

    right: Bool[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Better:
    """A range with which a network does far better than as its images are prepared: how many of `count` are right."""

    name: str
    prepare: Prepare
    right: int
    own: int
    count: int


def better_range(net: Net, images: UInt8[np.ndarray, "n h w c"], labels: Int[np.ndarray, " n"]) -> Better | None:
    """The usual range with which the first 64 images are far better recognized than in the network's own, if any.

    That is one with significantly more images right, or with no fewer and half the loss.
    """
    images, labels = images[:ROWS], labels[:ROWS]
    own = _fit(net, images, labels)
    fits = {name: _fit(replace(net, prepare=prepare), images, labels) for name, prepare in USUAL.items()}
    name = min(fits, key=lambda name: (-fits[name].right.sum(), fits[name].losses.mean()))
    if not _is_far_better(fits[name], own):
        return None
    return Better(name, USUAL[name], int(fits[name].right.sum()), int(own.right.sum()), len(labels))


def _fit(net: Net, images: UInt8[np.ndarray, "n h w c"], labels: Int[np.ndarray, " n"]) -> Fit:
    logits = np.asarray(probe.logits(net.model, net.variables, images, prepare=net.prepare))
    p = probabilities(logits, net.ending)
    return Fit(p.argmax(1) == labels, -np.log(np.maximum(p[np.arange(len(labels)), labels], LEAST)))


def _is_far_better(fit: Fit, own: Fit) -> bool:
    gained, lost = (fit.right & ~own.right).sum(), (own.right & ~fit.right).sum()
    if gained - lost > ERRORS * np.sqrt(gained + lost):
        return True
    saved = own.losses - fit.losses
    error = saved.std() / np.sqrt(len(saved))
    return bool(gained >= lost and fit.losses.mean() < own.losses.mean() / 2 and saved.mean() > ERRORS * error)
