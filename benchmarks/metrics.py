"""A table of methods by metrics against Quantus on PyTorch: the same network, images, maps and options, in one run.

    python benchmarks/metrics.py [--model FILE.h5] [--images 100]

Needs torch, captum and quantus, which cnnviz does not install. Both judge the same maps of five methods; metrics that
ask for more maps take ours and Captum's. Quantus has its default batch of 64 images. Times are seconds for all five
methods: on the clock, and of the processor, as other work on the machine changes the clock's alone. PyTorch's threads
wait busily, which counts as the processor's time too, unless OMP_WAIT_POLICY=passive is set. Ours are of the second
time that the table is made, and the last line has the first, which compiles. The second table adds those metrics
that take longest or no time, at Quantus' defaults. The difference is the largest one between
the means over images of both: of what is drawn at random it is not zero.
"""

# pyright: reportMissingImports=false

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.attribution import subject
from benchmarks.twin import twin
from cnnviz.attribution import attribute, build
from cnnviz.metrics import build as metric
from cnnviz.metrics import measure
from cnnviz.metrics.shapes import OfMap

KEY = jax.random.key(0)
METHODS: dict[str, Any] = {
    "gradient": build("gradient"),
    "input_x_gradient": build("input_x_gradient"),
    "integrated_gradients": build("integrated_gradients", samples=20),
    "grad_cam": build("grad_cam", relu=False),
    "occlusion": build("occlusion", window=4, stride=2),
}


@dataclass(frozen=True)
class Judge:
    """A metric of ours with its options, and the same of Quantus."""

    name: str
    theirs: str
    options: dict[str, Any]
    their_options: dict[str, Any]


PERCENTAGES = tuple(range(10, 100, 10))
JUDGES = [
    Judge("pixel_flipping", "PixelFlipping", {"pixels": 28, "infill": "black"}, {"features_in_step": 28}),
    Judge("road", "ROAD", {"percentages": PERCENTAGES}, {"percentages": list(PERCENTAGES)}),
    Judge("faithfulness_correlation", "FaithfulnessCorrelation", {"size": 28}, {"subset_size": 28}),
    Judge("max_sensitivity", "MaxSensitivity", {"samples": 10}, {"nr_samples": 10}),
    Judge("mprt", "MPRT", {}, {"layer_order": "top_down", "return_average_correlation": True}),
]
OTHERS = [
    Judge("complexity", "Complexity", {}, {}),
    Judge("sparseness", "Sparseness", {}, {}),
    Judge("random_logit", "RandomLogit", {}, {"num_classes": 10}),
    Judge("non_sensitivity", "NonSensitivity", {}, {"perturb_baseline": "black"}),
    Judge("pixel_flipping", "PixelFlipping", {"pixels": 1, "infill": "black"}, {"features_in_step": 1}),
]


def main() -> None:
    compare(*subject(__doc__, 100))


def compare(model: Any, variables: Any, images: np.ndarray, classes: np.ndarray) -> None:
    """A line per metric: our time, theirs, and the ratios; then those of the table, without and with compiling."""
    network, table = twin(model, variables), partial(our_table, model, variables, images, classes)
    maps, first = table()
    _, second = table()
    print(f"{len(images)} images, {len(METHODS)} methods; seconds")
    print(f"{'metric':28}{'ours':>8}{'theirs':>9}{'ratio':>7}{'of processor time':>19}{'difference':>12}")
    total = np.zeros(2)
    for place, judge in enumerate([*JUDGES, *OTHERS], 1):
        other, reference = timed(partial(of_quantus, judge, maps, network, images, classes))
        values, mine = second[place]
        total += reference
        print(line(judge.name, mine, reference) + f"{abs(values - other).max():12.3f}", flush=True)
        if place in (len(JUDGES), len(second) - 1):
            for words, found in ((f"{place} metrics, with the maps", second), ("the first time", first)):
                print(line(words, sum((taken for _, taken in found[: place + 1]), np.zeros(2)), total), flush=True)


def our_table(
    model: Any, variables: Any, images: np.ndarray, classes: np.ndarray
) -> tuple[dict[str, np.ndarray], list[tuple[Any, np.ndarray]]]:
    """The maps of every method, and what is found, with its times: of the maps, then of every metric."""
    ask = lambda one: np.asarray(attribute(one, model, variables, images, classes))
    maps, taken = timed(lambda: {name: ask(one) for name, one in METHODS.items()})
    of = lambda judge: timed(partial(of_ours, judge, maps, model, variables, images, classes))
    return maps, [(maps, taken), *map(of, (*JUDGES, *OTHERS))]


def line(name: str, ours: np.ndarray, theirs: np.ndarray) -> str:
    """Both times on the clock, and the ratios of these and of the processor's."""
    ratio = theirs / ours
    return f"{name:28}{ours[0]:8.2f}{theirs[0]:9.2f}{ratio[0]:7.1f}{ratio[1]:19.1f}"


def timed(run: Callable[[], Any]) -> tuple[Any, np.ndarray]:
    """The result, and the seconds on the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    found = run()
    return found, np.array([time.perf_counter() - clock, time.process_time() - processor])


def of_ours(judge: Judge, maps: dict[str, Any], model: Any, variables: Any, images: Any, classes: Any) -> np.ndarray:
    """Each method's mean over the images; a metric of maps measures those of all methods in one call."""
    ask = partial(measure, judge.name, model, variables, images, classes, key=KEY, details=True, **judge.options)
    if isinstance(metric(judge.name), OfMap):
        found = ask(maps)
    else:
        found = {name: ask(values, method=METHODS[name]) for name, values in maps.items()}
    if judge.name == "pixel_flipping":  # Quantus has the curve without its start, and we its area
        return np.array([one.parts[:, 1:].mean() for one in found.values()])
    if judge.name == "mprt":  # Quantus counts the network as it is, whose similarity is 1
        return np.array([np.concatenate([one.parts, np.ones((len(images), 1))], 1).mean() for one in found.values()])
    pixels = images[0, ..., 0].size if judge.name == "non_sensitivity" else 1  # which Quantus counts
    return np.array([pixels * one.values.mean() for one in found.values()])


def of_quantus(judge: Judge, maps: dict[str, Any], network: Any, images: Any, classes: Any) -> np.ndarray:
    """Each method's mean over the images."""
    import quantus

    x, found = images.transpose(0, 3, 1, 2).copy(), []
    for name, values in maps.items():
        metric = getattr(quantus, judge.theirs)(disable_warnings=True, **judge.their_options)
        given = {"explain_func": partial(explained, name), "softmax": False, "device": "cpu", "channel_first": True}
        scores = metric(network, x, classes.astype(np.int64), values[:, None].copy(), **given)
        found.append(np.mean(list(scores.values()) if isinstance(scores, dict) else scores))
    return np.array(found)


def explained(name: str, model: Any, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
    """Captum's maps `[n, 1, h, w]` of the method of this name."""
    import captum.attr as captum
    import torch

    x, y = torch.from_numpy(np.asarray(inputs, np.float32)), torch.from_numpy(np.asarray(targets)).long()
    if name == "occlusion":
        with torch.no_grad():
            return captum.Occlusion(model).attribute(x, (1, 4, 4), (1, 2, 2), target=y).numpy()
    if name == "grad_cam":
        raw: Any = captum.LayerGradCam(model, model.relu2).attribute(x, y)
        found = captum.LayerAttribution.interpolate(raw, (28, 28), "bilinear")
    elif name == "integrated_gradients":
        found = captum.IntegratedGradients(model).attribute(x, target=y, n_steps=20)
    else:
        found = captum.InputXGradient(model).attribute(x, y) if name == "input_x_gradient" else saliency(model, x, y)
    return found.detach().numpy()


def saliency(model: Any, x: Any, y: Any) -> Any:
    """The signed gradient."""
    import captum.attr as captum

    return captum.Saliency(model).attribute(x, y, abs=False)


if __name__ == "__main__":
    main()
