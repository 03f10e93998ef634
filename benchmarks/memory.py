"""The memory that attribution takes: 10,000 images and 50 samples through every method, at most 2 GB in all.

python benchmarks/memory.py [--images 10000] [METHOD ...]

Prints after each method the peak of the whole process so far, Python, JAX, images and maps included.
"""

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from cnnviz import data
from cnnviz.attribution import METHODS, attribute
from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("methods", nargs="*", default=[*METHODS], metavar="METHOD")
    parser.add_argument("--images", type=int, default=10_000)
    given = parser.parse_args()
    pixels = data.first_available("fashion_mnist,garments", None)[0].test.images
    images = np.resize(pixels, (given.images, *pixels.shape[1:])).astype(np.float32) / 255
    usual, averaging = ((model, jax.jit(model.init)(jax.random.key(0), images[:1])) for model in (CNN(), ResNet()))
    options: dict[str, dict[str, Any]] = {"deep_lift_shap": {"baseline": images[:50]}}
    for name in given.methods:
        begun = time.perf_counter()
        model, variables = averaging if name == "cam" else usual  # cam needs a mean over places before the last layer
        attribute(name, model, variables, images, 3, key=jax.random.key(1), **options.get(name, {}))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name:30}{time.perf_counter() - begun:6.0f} s   peak so far {peak:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
