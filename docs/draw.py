"""Draws the pictures of docs/pictures, one per kind: `python docs/draw.py runs/NAME`, of a run on Fashion-MNIST.

The picture of README is drawn by `docs/photograph.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from cnnviz import data, networks
from cnnviz.networks import Net
from cnnviz.pictures import PICTURES
from cnnviz.pictures.picture import Data, Picture
from cnnviz.registry import resolve

THREE = {"image": "0:3"}
# by the name of the file: the kind, its options, and how the name of the picture begins, of those that the kind draws
DRAWN: dict[str, tuple[str, dict[str, Any], str]] = {
    "layers": ("layers", {}, "layers"),
    "kernels": ("kernels", {}, "kernels_"),
    "histograms": ("histograms", {}, "histogram_"),
    "activations": ("activations", {}, "activations_"),
    "responses": ("responses", {}, "responses_"),
    "attribute": (
        "attribute",
        {
            "methods": "grad_cam,integrated_gradients,smooth_grad,guided_backprop,lrp_epsilon_plus,deep_lift",
            **THREE,
        },
        "attribute",
    ),
    "propagation": (
        "attribute",
        {
            "methods": "lrp_zero,lrp_epsilon_plus,lrp_epsilon_alpha2_beta1,lrp_epsilon_gamma_box,excitation_backprop,"
            "deconvnet,full_grad",
            **THREE,
        },
        "attribute",
    ),
    "curves": ("curves", {}, "curves"),
    "predictions": ("predictions", {}, "confusion"),
    "predict": ("predict", {"image": str(Path(__file__).parent / "pictures" / "boot.png"), "invert": True}, "predict"),
    "evaluate": ("evaluate", {}, "evaluation"),
    "compare": ("compare", {}, "performance"),
    "film": ("film", {"of": "attributions", "film": "none", "image": "0"}, "film_"),
    "units": ("units", {"layer": "relu2", "unit": 31}, "unit_"),
    "embed": ("embed", {"layer": "dense1"}, "embed_"),
    "probe-accuracy": ("probe-accuracy", {"untrained": True}, "probe_accuracy"),
    "ablation": ("ablation", {"layer": "relu2"}, "ablation_"),
    "unit_sheet": ("units", {"layer": "relu2", "sort": "accuracy"}, "units_"),
    "robustness": ("robustness", {}, "robustness"),
}


@dataclass(frozen=True)
class Options:
    """Draw the pictures of docs/pictures."""

    network: Annotated[str, tyro.conf.Positional]
    """A run or a file of weights."""
    dataset: str = "fashion_mnist,garments"
    """Data sets in order of preference."""
    out: Path = Path("docs/pictures")
    """Where the pictures go."""
    compared: tuple[str, ...] = ()
    """The networks that are compared, best two runs of several seeds; by default this one and its untrained weights."""


def pictures(net: Net, compared: Sequence[Net], shown: Data) -> Iterator[tuple[str, Picture]]:
    """The pictures with the names of their files."""
    compared = compared or [net, replace(net, name=f"{net.name} untrained", members=net.beginnings)]
    for name, (kind, options, beginning) in DRAWN.items():
        nets = compared if kind == "compare" else [net]
        found = resolve(PICTURES, kind, "kind of picture")(**options)(nets, shown)
        yield name, next(picture for picture in found if picture.name.startswith(beginning))


def main(options: Options) -> None:
    dataset, line = data.first_available(options.dataset)
    print(line)
    compared = [networks.open(name) for name in options.compared]
    for name, picture in pictures(networks.open(options.network), compared, Data(lambda: dataset)):
        print(picture.save(options.out / f"{name}.png"))


if __name__ == "__main__":
    main(tyro.cli(Options, config=(tyro.conf.FlagCreatePairsOff,)))
