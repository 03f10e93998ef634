"""Milliseconds an image of every attribution method, and of Captum and pytorch-grad-cam on the same device."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import Case, Row, Sizes, timed
from cnnviz.attribution import METHODS, attribute
from cnnviz.errors import InputError
from cnnviz.models.cnn import CNN


def cases(sizes: Sizes) -> Iterator[Case]:
    """Every method on the default network; what does not fit it says so."""
    model = CNN()
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 28, 28, 1), np.float32))
    for count in sizes.rows:
        images = np.random.default_rng(0).uniform(size=(count, 28, 28, 1)).astype(np.float32)
        classes = (np.arange(count) % 10).astype(np.int32)
        for name in METHODS:
            yield Case(f"{name}, {count} images", partial(ours, name, model, variables, images, classes, sizes))
        if sizes.peers:
            yield from peers(model, variables, images, classes, sizes)


def ours(name: str, model: Any, variables: Any, images: np.ndarray, classes: np.ndarray, sizes: Sizes) -> Row:
    given = {"key": jax.random.key(0), "data": images[:64]}
    held = jax.device_put(images)
    try:
        found = timed(lambda: attribute(name, model, variables, held, classes, **given), sizes)
    except InputError as error:
        return {"skipped": str(error)}
    return {"ms an image": 1e3 * found.pop("seconds") / len(images), **found}


def peers(model: Any, variables: Any, images: np.ndarray, classes: np.ndarray, sizes: Sizes) -> Iterator[Case]:
    """What `benchmarks/attribution.py` compares with, on PyTorch's accelerator."""
    try:
        import torch  # pyright: ignore[reportMissingImports]

        from benchmarks.peers import PEERS, as_torch
        from benchmarks.twin import twin
    except ImportError as error:
        missing = str(error)
        yield Case("PyTorch", lambda: {"skipped": missing})
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, given = twin(model, variables).to(device), [array.to(device) for array in as_torch(images, classes)]
    for peer in PEERS:
        options = " ".join(map(str, peer.options.values()))
        name = " ".join(filter(None, (f"{peer.library}'s {peer.name}", options)))
        yield Case(f"{name}, {len(images)} images", partial(theirs, peer, network, given, sizes))


def theirs(peer: Any, network: Any, given: list[Any], sizes: Sizes) -> Row:
    """Their result is an array of this process, which waits for the device."""
    found = timed(lambda: peer.timed(network, *given), sizes, wait=np.asarray)
    return {"ms an image": 1e3 * found.pop("seconds") / len(given[0]), **found}
