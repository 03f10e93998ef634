"""Attribution against Captum and pytorch-grad-cam on PyTorch: the same network, the same images, in one run.

    python benchmarks/attribution.py [--model FILE.h5] [--images 64]

Needs torch, captum and grad-cam, which cnnviz does not install. Times are medians of calls, some of one library
in a row and then some of the other (`turns.py`); compile time is our first call less the median.
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.peers import PEERS, as_torch
from benchmarks.turns import take_turns, timed
from benchmarks.twin import twin
from cnnviz import data
from cnnviz.attribution import attribute
from cnnviz.interop import load_keras
from cnnviz.models.cnn import CNN


def main() -> None:
    compare(*subject(__doc__))


def subject(description: str | None, images: int = 64) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """The network and its variables, images, and their classes, as the command line asks for them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="a Keras file of the default network; else freshly drawn weights")
    parser.add_argument("--images", type=int, default=images)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    model, variables = load_keras(options.model) if options.model else fresh()
    split = data.first_available("fashion_mnist,garments", None)[0].test
    pixels = np.asarray(split.images[: options.images], np.float32) / 255
    return model, variables, pixels, np.asarray(split.labels[: options.images], np.int32)


def fresh() -> tuple[Any, Any]:
    model = CNN()
    return model, jax.jit(model.init)(jax.random.key(0), np.zeros((1, 28, 28, 1), np.float32))


def compare(model: Any, variables: Any, images: np.ndarray, classes: np.ndarray) -> None:
    """A line a reference: our median, theirs, the ratio, our compile time, and the largest relative difference."""
    network, (x, y) = twin(model, variables), as_torch(images, classes)
    print(f"{len(images)} images; milliseconds; difference relative to the reference's largest value, 8 images")
    print(f"{'method':30}{'library':18}{'ours':>9}{'theirs':>9}{'ratio':>7}{'compile':>9}{'difference':>12}")
    for peer in PEERS:
        given = (peer.name, model, variables, images, classes)
        run = partial(attribute, *given, key=jax.random.key(0), **peer.options)
        other = partial(peer.timed, network, x, y)
        first, _ = timed(run), timed(other)
        ours, theirs = take_turns(run, other)
        apart = peer.difference(network, model, variables, images[:8], classes[:8])
        name = " ".join([peer.name, *map(str, peer.options.values())])
        print(
            f"{name:30}{peer.library:18}{ours:9.1f}{theirs:9.1f}{theirs / ours:7.1f}{first - ours:9.0f}{apart:12.1e}"
            f"  {peer.note}",
            flush=True,
        )


if __name__ == "__main__":
    main()
