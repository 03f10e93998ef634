"""Writes metrics.json: numbers of Quantus, Captum and Xplique for one small network, six images and random maps.

    python tests/goldens/make_metrics.py quantus   (Quantus 0.6.0 and Captum 0.9.0 on PyTorch)
    python tests/goldens/make_metrics.py xplique   (Xplique 2.0.2 on TensorFlow)

Each adds its own numbers to the file. Where a metric draws at random, there are so many draws that the mean is meant.
"""

# pyright: reportMissingImports=false

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from drawn import weight

sys.path[:] = [each for each in sys.path if not each.endswith("goldens")]  # whose folder `torch` is not PyTorch
FILE = Path(__file__).parent / "metrics.json"
DRAW = np.random.default_rng(27)
IMAGES = DRAW.uniform(0.1, 1, (6, 8, 8, 1)).astype(np.float32)
MAPS = DRAW.normal(size=(6, 8, 8)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
CONV, DENSE = weight("conv.weight", (4, 1, 3, 3)), weight("dense.weight", (3, 256))  # as PyTorch has them


def network():
    """conv 3x3, ReLU, dense, for images [n, 1, 8, 8]."""
    import torch
    from torch import nn

    made = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3, False))
    made[0].weight.data, made[3].weight.data = torch.from_numpy(CONV), torch.from_numpy(DENSE)
    return made.eval()


def saliency(model, inputs, targets, **_):
    """The signed gradient, which metrics of a method ask for."""
    import torch

    x = torch.from_numpy(np.asarray(inputs, np.float32)).requires_grad_()
    chosen = model(x).gather(1, torch.from_numpy(np.asarray(targets)).long()[:, None])
    return torch.autograd.grad(chosen.sum(), x)[0].numpy()


def of_quantus():
    """Quantus' numbers, one per image, curves from the first change on; ROAD's are means over images."""
    import quantus

    model, images, maps = network(), IMAGES.transpose(0, 3, 1, 2).copy(), MAPS[:, None]

    def asked(name, maps=maps, softmax=False, **options: Any):
        np.random.seed(0)
        metric = getattr(quantus, name)(disable_warnings=True, **options)
        given = {"explain_func": saliency, "softmax": softmax, "device": "cpu", "channel_first": True}
        return metric(model, images, LABELS, maps.copy(), **given)

    black: Any = {"perturb_baseline": 0.0}  # Quantus' "black" is the image's least value
    once: Any = {"return_aggregate": False}
    gradient = saliency(model, images, LABELS)
    holes = np.where(abs(maps) < 0.3, 0, maps)
    road = asked("ROAD", percentages=[20, 40, 60, 80], noise=0.0)
    return {
        "pixel_flipping": asked("PixelFlipping", features_in_step=4, **black),
        "pixel_flipping, probability": asked("PixelFlipping", features_in_step=4, softmax=True, **black),
        "road": [float(road[each]) for each in (20, 40, 60, 80)],
        "faithfulness_correlation": asked("FaithfulnessCorrelation", nr_runs=4000, subset_size=8, **once, **black),
        "complexity": asked("Complexity"),
        "sparseness": asked("Sparseness"),
        "non_sensitivity": asked("NonSensitivity", holes, **black),
        "max_sensitivity": asked("MaxSensitivity", gradient, nr_samples=300, lower_bound=0.05),
        "infidelity": of_captum(model, images),
    }


def of_captum(model, images):
    """Captum's infidelity for Gaussian noise, over 8,000 draws."""
    import torch
    from captum.metrics import infidelity

    torch.manual_seed(0)
    x, maps, labels = torch.from_numpy(images), torch.from_numpy(MAPS[:, None]), torch.from_numpy(LABELS)

    def noisy(inputs):
        change = 0.1 * torch.randn_like(inputs)
        return change, inputs - change

    with torch.no_grad():
        return infidelity(model, noisy, x, maps, target=labels, n_perturb_samples=8000, max_examples_per_batch=6000)


def of_xplique():
    """Xplique's numbers, one per image, of probabilities."""
    import tensorflow as tf
    from xplique import metrics

    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu", use_bias=False),
            layers.Permute((3, 1, 2)),
            layers.Flatten(),
            layers.Dense(3, use_bias=False),
        ]
    )
    model.layers[0].set_weights([CONV.transpose(2, 3, 1, 0)])
    model.layers[-1].set_weights([DENSE.T])
    tf.random.set_seed(0)
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "deletion": ("Deletion", {"steps": 8}),
        "insertion": ("Insertion", {"steps": 8}),
        "average_drop": ("AverageDropMetric", {}),
        "average_increase": ("AverageIncreaseMetric", {}),
        "average_gain": ("AverageGainMetric", {}),
        "mu_fidelity": ("MuFidelity", {"nb_samples": 2000, "grid_size": 4}),
    }

    def asked(name: str, options: dict[str, Any], i: int):
        activation = {} if name == "MuFidelity" else {"activation": "softmax"}
        target = tf.one_hot(LABELS[i : i + 1], 3)
        metric = getattr(metrics, name)(model, IMAGES[i : i + 1], target, **activation, **options)
        return metric.evaluate(MAPS[i : i + 1])

    return {name: [asked(*metric, i) for i in range(6)] for name, metric in wanted.items()}


def main():
    found = of_quantus() if sys.argv[1] == "quantus" else of_xplique()
    held = json.loads(FILE.read_text()) if FILE.exists() else {}
    plain = {name: np.asarray(values, np.float64).round(7).tolist() for name, values in found.items()}
    FILE.write_text(json.dumps(held | {sys.argv[1]: plain}, indent=1) + "\n")


if __name__ == "__main__":
    main()
