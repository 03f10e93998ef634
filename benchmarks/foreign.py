"""Attribution on networks that nobody made for cnnviz, against plain jitted Flax and against Captum, in one run.

    python benchmarks/foreign.py [--images 64] [NETWORK ...]

Needs torch, captum and zennit. Plain Flax is what one writes by hand: `jit(vmap(...))` of the gradient, all images and
samples at once, as Captum has them by default.
"""

# pyright: reportMissingImports=false

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.networks import NETWORKS, pair
from benchmarks.peers import as_torch, pixels
from benchmarks.turns import Run, take_turns, timed
from cnnviz.attribution import attribute

SAMPLES, NOISE = 50, 0.15


def in_flax(model: Any, variables: Any, images: np.ndarray, classes: np.ndarray) -> dict[str, Run]:
    """Each method as one writes it by hand."""
    gradient = jax.grad(lambda image, target: model.apply(variables, image[None])[0, target])
    scales = (jnp.arange(SAMPLES) + 0.5) / SAMPLES

    def path(image, target):
        return image * jax.vmap(lambda scale: gradient(scale * image, target))(scales).mean(0)

    def smooth(image, target, key):
        noise = NOISE * jax.random.normal(key, (SAMPLES, *image.shape))
        return jax.vmap(lambda added: gradient(image + added, target))(noise).mean(0)

    keys = jax.random.split(jax.random.key(0), len(images))
    return {
        "gradient": partial(jax.jit(jax.vmap(gradient)), images, classes),
        "integrated_gradients": partial(jax.jit(jax.vmap(path)), images, classes),
        "smooth_grad": partial(jax.jit(jax.vmap(smooth)), images, classes, keys),
    }


def in_captum(network: Any, images: np.ndarray, classes: np.ndarray) -> dict[str, Run]:
    from captum import attr

    x, y = as_torch(images, classes)
    saliency, path = attr.Saliency(network), attr.IntegratedGradients(network)
    noise = {"nt_type": "smoothgrad", "nt_samples": SAMPLES, "stdevs": NOISE}
    return {
        "gradient": lambda: pixels(saliency.attribute(x, target=y, abs=False)),
        "integrated_gradients": lambda: pixels(path.attribute(x, target=y, n_steps=SAMPLES)),
        "smooth_grad": lambda: pixels(attr.NoiseTunnel(saliency).attribute(x, target=y, abs=False, **noise)),
    }


def compare(name: str, images: np.ndarray, classes: np.ndarray) -> None:
    """A line a method: our median, theirs and how often ours goes into it, compile time and the difference."""
    model, variables, network = pair(NETWORKS[name])
    flax, captum = in_flax(model, variables, images, classes), in_captum(network, images, classes)
    print(name)
    for method in flax:
        ours = partial(attribute, method, model, variables, images, classes, key=jax.random.key(0))
        first, *_ = [timed(run) for run in (ours, flax[method], captum[method])]
        mine, plain, theirs = take_turns(ours, flax[method], captum[method])
        a, b = np.asarray(ours()), captum[method]().sum(-1)
        apart = "" if method == "smooth_grad" else f"   difference {np.abs(a - b).max() / np.abs(b).max():.0e}"
        print(
            f"  {method:22}{mine:8.1f}   plain Flax {plain:7.1f} ({plain / mine:3.1f})"
            f"   Captum {theirs:7.1f} ({theirs / mine:3.1f})   compile {first - mine:5.0f}{apart}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="the beginning of: " + "; ".join(NETWORKS))
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    draw = np.random.default_rng(0)
    images = draw.uniform(size=(options.images, 28, 28, 1)).astype(np.float32)
    classes = draw.integers(0, 10, options.images, np.int32)
    print(f"{options.images} images, {SAMPLES} samples; milliseconds of ours, and of the others (over ours)")
    for name in NETWORKS:
        if not options.networks or name.startswith(tuple(options.networks)):
            compare(name, images, classes)


if __name__ == "__main__":
    main()
