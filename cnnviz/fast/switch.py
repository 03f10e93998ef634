"""Which rewrites are on: by backend, in one table, and none at all with `CNNVIZ_PLAIN=1`."""

import os
from enum import Enum, auto

import jax


class Rewrite(Enum):
    """A way to compute the same values sooner."""

    BOXES = auto()  # boxes.py
    CHANNEL_SETS = auto()  # channel_sets.py
    COMPILER_OPTIONS = auto()  # jit.py
    CONVOLUTIONS = auto()  # convolutions.py
    DEDUPLICATION = auto()  # rewrite.py: what a function computes twice is computed once
    KERNEL_GRADIENT = auto()  # kernel_gradient.py
    LANES = auto()  # lanes.py
    LINEAR_SAMPLES = auto()  # linear_samples.py
    MICROBATCHES = auto()  # microbatches.py
    POOLING = auto()  # pooling.py
    REDUCTIONS = auto()  # reductions.py


# They save work, whatever does it. BOXES does too, but by many small slices, which were not measured on a GPU.
ANYWHERE = frozenset({Rewrite.CHANNEL_SETS, Rewrite.DEDUPLICATION, Rewrite.LINEAR_SAMPLES})
# On one H100 (docs/accelerators.md), POOLING makes a step 1.04 and a gradient 1.13 times as fast; KERNEL_GRADIENT makes
# a step 0.60, MICROBATCHES 0.91 times as fast.
REWRITES = {"cpu": frozenset(Rewrite), "gpu": ANYWHERE | {Rewrite.POOLING}, "tpu": ANYWHERE}


def is_on(*rewrites: Rewrite) -> bool:
    """Whether any of these rewrites is on for JAX's default backend.

    This is asked when a function is traced or first called, so `CNNVIZ_PLAIN` belongs in the environment from the
    start: what has been compiled stays as it is.
    """
    if os.environ.get("CNNVIZ_PLAIN", "0") not in ("", "0"):
        return False
    return not REWRITES.get(jax.default_backend(), ANYWHERE).isdisjoint(rewrites)
