"""Draws the pictures of README: `python docs/draw.py best-cnn-model.h5 --dataset fashion_mnist`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cnnviz import data, networks
from cnnviz.networks import Net
from cnnviz.pictures.activations import Activations, spatial_layers
from cnnviz.pictures.attribute import Attributions
from cnnviz.pictures.kernels import kernels_picture
from cnnviz.pictures.picture import Data, Picture
from cnnviz.pictures.weights import convolutions

GRADIENTS = "grad_cam,integrated_gradients,smooth_grad,guided_backprop,lrp_epsilon_plus,deep_lift"
RULES = (
    "lrp_zero,lrp_epsilon_plus,lrp_epsilon_alpha2_beta1,lrp_epsilon_gamma_box,excitation_backprop,deconvnet,full_grad"
)


@dataclass(frozen=True)
class Options:
    """Draw the pictures of README."""

    network: Annotated[str, tyro.conf.Positional]
    """A run or a Keras file."""
    dataset: str = "fashion_mnist,garments"
    """Data sets in order of preference."""
    out: Path = Path("docs")
    """Where the pictures go."""


def pictures(net: Net, shown: Data) -> dict[str, Picture]:
    """The pictures by the names of their files."""
    first = spatial_layers(net)[0].name
    explain = lambda methods: Attributions(methods=methods, image="0:3")([net], shown)[0]
    return {
        "kernels": kernels_picture(net, convolutions(net)[0]),
        "activations": Activations(layer=first)([net], shown)[1],
        "attribution": explain(GRADIENTS),
        "propagation": explain(RULES),
    }


def main(options: Options) -> None:
    dataset, line = data.first_available(options.dataset)
    print(line)
    for name, picture in pictures(networks.open(options.network), Data(lambda: dataset)).items():
        print(picture.save(options.out / f"{name}.png"))


if __name__ == "__main__":
    main(tyro.cli(Options, config=(tyro.conf.FlagCreatePairsOff,)))
