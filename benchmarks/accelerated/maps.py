"""Milliseconds an image of every attribution method, and of Captum and pytorch-grad-cam on the same device."""

# pyright: reportMissingImports=false

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.accelerated.case import Case, Row, Sizes, network_for, timed
from benchmarks.peers import PEERS, Peer, as_torch
from cnnviz.attribution import METHODS, attribute
from cnnviz.errors import InputError


def cases(sizes: Sizes) -> Iterator[Case]:
    """First what others have, each beside theirs; then all other methods."""
    alone = [name for name in METHODS if name not in {peer.name for peer in PEERS}]
    asked = []
    for count in sizes.rows:
        images = np.random.default_rng(0).uniform(size=(count, 28, 28, 1)).astype(np.float32)
        asked.append((images, (np.arange(count) % 10).astype(np.int32), sizes))
    for given in asked:
        yield from beside(*given)
    for given in asked:
        yield from (Case(f"{name}, {len(given[0])} images", partial(ours, name, *given)) for name in alone)


def beside(images: np.ndarray, classes: np.ndarray, sizes: Sizes) -> Iterator[Case]:
    """Each method that Captum or pytorch-grad-cam has, and theirs on PyTorch's accelerator if they are asked for."""
    given = (images, classes, sizes)
    for name in dict.fromkeys(peer.name for peer in PEERS):
        yield Case(f"{name}, {len(images)} images", partial(ours, name, *given))
        for peer in PEERS if sizes.peers else ():
            if peer.name == name:
                options = " ".join(map(str, peer.options.values()))
                of_peer = " ".join(filter(None, (f"{peer.library}'s {name}", options)))
                yield Case(f"{of_peer}, {len(images)} images", partial(of_library, peer, *given))


def ours(name: str, images: np.ndarray, classes: np.ndarray, sizes: Sizes) -> Row:
    model, given = network_for(name), {"key": jax.random.key(0), "data": images[:64]}
    variables, held = drawn(model), jax.device_put(images)
    try:
        found = timed(lambda: attribute(name, model, variables, held, classes, **given), sizes)
    except InputError as error:
        return {"skipped": str(error)}
    return {"ms an image": 1e3 * found.pop("seconds") / len(images), **found}


def drawn(model: Any) -> Any:
    return jax.jit(model.init)(jax.random.key(0), np.zeros((1, 28, 28, 1), np.float32))


def of_library(peer: Peer, images: np.ndarray, classes: np.ndarray, sizes: Sizes) -> Row:
    """Theirs, with products in float32 as ours are; the result is an array of this process, which waits for it."""
    import torch

    from benchmarks.twin import twin

    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = network_for(peer.name)
    network, given = twin(model, drawn(model)).to(device), [array.to(device) for array in as_torch(images, classes)]
    with device:  # what they draw is there, too
        found = timed(lambda: peer.timed(network, *given), sizes, wait=np.asarray)
    return {"ms an image": 1e3 * found.pop("seconds") / len(images), **found}
