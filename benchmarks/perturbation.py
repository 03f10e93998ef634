"""Methods that remove parts of the image, against Captum on PyTorch: the same network and images, in one run.

    python benchmarks/perturbation.py [--model FILE.h5] [--images 64]

Needs torch and captum, which cnnviz does not install. Times are medians of calls, some of one library in a row and then
some of the other (`turns.py`); there is the ratio of processor times too, in which PyTorch's threads count while they
wait, unless OMP_WAIT_POLICY=passive is set. The difference is relative to Captum's largest value; of methods that draw
at random, it is between the means over the images, and is no less than the noise of both.
"""

# pyright: reportMissingImports=false

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.attribution import subject
from benchmarks.peers import as_torch
from benchmarks.turns import processor_time, take_turns
from benchmarks.twin import twin
from cnnviz.attribution import attribute
from cnnviz.attribution.segments import segments_of


@dataclass(frozen=True)
class Perturbing:
    """A method of ours with its options, and the same of Captum: `(network, x, y, mask) -> values`."""

    name: str
    theirs: Callable[..., Any]
    at_once: int
    options: dict[str, Any] = field(default_factory=dict)
    exact: bool = True


def of_captum(name: str, network: Any, x: Any, y: Any, mask: Any, at_once: int, **options: Any) -> Any:
    """Captum's method of this class, with our mask and no gradients."""
    import captum.attr as captum
    import torch

    with torch.no_grad():
        run = getattr(captum, name)(network).attribute
        return run(x, target=y, feature_mask=mask, perturbations_per_eval=at_once, **options)


def occlusion(network: Any, x: Any, y: Any, mask: Any, at_once: int) -> Any:
    """Captum's occlusion by windows of 4 pixels with a stride of 2."""
    import captum.attr as captum
    import torch

    with torch.no_grad():
        run = captum.Occlusion(network).attribute
        return run(x, sliding_window_shapes=(1, 4, 4), strides=(1, 2, 2), target=y, perturbations_per_eval=at_once)


ORDERS, CELLS = 10, {"mask": "grid:7"}
PERTURBING = [
    of_one
    for at_once in (1, 16)
    for of_one in (
        Perturbing("occlusion", occlusion, at_once, {"window": 4, "stride": 2}),
        Perturbing("feature_ablation", partial(of_captum, "FeatureAblation"), at_once, CELLS),
        Perturbing(
            "shapley_sampling",
            partial(of_captum, "ShapleyValueSampling", n_samples=ORDERS),
            at_once,
            {**CELLS, "samples": ORDERS},
            exact=False,
        ),
    )
]


def main() -> None:
    compare(*subject(__doc__))


def compare(model: Any, variables: Any, images: np.ndarray, classes: np.ndarray) -> None:
    """A line per method: our median, theirs, the ratio, and the difference."""
    import torch

    network, (x, y) = twin(model, variables), as_torch(images, classes)
    mask = torch.from_numpy(segments_of("grid:7", (28, 28, 1))[None, None, :, :, 0].astype(np.int64).copy())
    print(f"{len(images)} images; milliseconds")
    columns = f"{'ours':>9}{'theirs':>9}{'ratio':>7}{'of processor time':>19}{'difference':>12}"
    print(f"{'method':20}{'Captum at once':>16}{columns}")
    for peer in PERTURBING:
        ours = partial(attribute, peer.name, model, variables, images, classes, key=jax.random.key(0), **peer.options)
        theirs = partial(peer.theirs, network, x, y, mask, at_once=peer.at_once)
        values, other = np.asarray(ours()), np.asarray(theirs())[:, 0]
        if not peer.exact:
            values, other = values.sum((1, 2)), other.sum((1, 2))
        apart = abs(values - other).max() / abs(other).max()
        mine, reference = take_turns(ours, theirs)
        of_processor = processor_time(theirs) / processor_time(ours)
        line = f"{peer.name:20}{peer.at_once:16}{mine:9.0f}{reference:9.0f}{reference / mine:7.1f}"
        print(f"{line}{of_processor:19.1f}{apart:12.1e}", flush=True)


if __name__ == "__main__":
    main()
